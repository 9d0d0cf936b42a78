import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { linesOfAll, type StreamLine, type StreamPlace } from '#kernel/snapshots/stream-log.ts';
import { compile as compileExperience, update as updateExperience } from '#domains/experience/decisions/compile.ts';
import type { ExperienceTable } from '#domains/experience/decisions/table.ts';
import { Experiment } from '#domains/experience/kinds/experiment.ts';
import { experimentSpec } from '#domains/experience/kinds/experiment-spec.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { flagKey, flagSpec } from '#domains/experience/kinds/flag-spec.ts';
import { Holdout } from '#domains/experience/kinds/holdout.ts';
import { compile as compileProducts, update as updateProducts } from '#domains/products/decisions/compile.ts';
import type { ProductsTable } from '#domains/products/decisions/table.ts';
import { Feature } from '#domains/products/kinds/feature.ts';
import { Market } from '#domains/products/kinds/market.ts';
import { Plan } from '#domains/products/kinds/plan.ts';
import { Price } from '#domains/products/kinds/price.ts';

const experienceKinds = [...audienceKinds, Holdout, Flag, Experiment];
const productsKinds = [Feature, Market, Plan, Price];
const kinds = kindRegistry([...experienceKinds, ...productsKinds]);
const known = new Set(kinds.all.map(({ id }) => id));
const ofExperience = new Set(experienceKinds.map(({ id }) => id));

/** The tables that answers come from: the same as on a decision node, by the same code. Immutable. */
export interface LocalSnapshot {
  readonly version: string;
  readonly experience: ExperienceTable;
  readonly products: ProductsTable;
}

interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/** Keeps the live objects that the stream tells of, and makes snapshots of them. */
export class LocalWorld {
  #objects = new LiveObjects(kinds);
  /** The objects that came since `begin`, until `end`. */
  #coming: LiveObjects | undefined;
  #snapshot: LocalSnapshot | undefined;
  #place: StreamPlace | undefined;

  get snapshot(): LocalSnapshot | undefined {
    return this.#snapshot;
  }

  /** Where the stream may go on; undefined when the next thing must be everything. */
  get place(): StreamPlace | undefined {
    return this.#place;
  }

  /** Everything that is live as lines of the stream, to be kept for a start without the server. */
  *lines(): Iterable<string> {
    if (this.#place === undefined) return;
    const objects = [...known].flatMap((kind) => [...this.#objects.list(kind)]);
    yield* linesOfAll(this.#place, objects);
  }

  /**
   * Takes one line of the stream. A world that does not compile throws, and the snapshot before stays.
   *
   * @returns the keys of the flags that may have changed, when there is a new snapshot.
   */
  take(line: StreamLine): readonly string[] | undefined {
    switch (line.type) {
      case 'begin':
        this.#coming = new LiveObjects(kinds);
        return undefined;
      case 'objects':
        for (const object of line.objects) if (known.has(object.kind)) this.#coming?.set(object);
        return undefined;
      case 'end':
        return this.#takeAll(line);
      case 'changes':
        return this.#takeChanges(line);
      case 'alive':
        this.#place = placeOf(line);
        if (this.#snapshot !== undefined) this.#snapshot = { ...this.#snapshot, version: line.version };
        return undefined;
      default:
        // A later server may say more.
        line satisfies never;
        return undefined;
    }
  }

  #takeAll(line: Extract<StreamLine, { type: 'end' }>): readonly string[] {
    const coming = this.#coming;
    this.#coming = undefined;
    if (coming === undefined) throw new Error('the stream ended a world that it had not begun');
    const before = this.#objects;
    this.#snapshot = {
      version: line.version,
      experience: compileExperience(coming),
      products: compileProducts(coming),
    };
    this.#objects = coming;
    this.#place = placeOf(line);
    const changed = differing(before, coming);
    return keysOf([before, coming], [...affectedKeys(before, changed), ...affectedKeys(coming, changed)]);
  }

  #takeChanges(line: Extract<StreamLine, { type: 'changes' }>): readonly string[] {
    const before = this.#snapshot;
    if (before === undefined) throw new Error('the stream sent changes before it sent everything');
    // Kinds that this version of the client does not know are for others.
    const changes = line.changes.filter(({ kind }) => known.has(kind));
    // Should this world not compile, everything must come anew.
    this.#place = undefined;
    const names = affectedKeys(this.#objects, changes);
    const keysBefore = keysOf([this.#objects], names);
    for (const { kind, name, object } of changes) {
      if (object === undefined) this.#objects.delete(kind, name);
      else this.#objects.set(object);
    }
    const experience = changes.filter(({ kind }) => ofExperience.has(kind));
    const products = changes.filter(({ kind }) => !ofExperience.has(kind));
    this.#snapshot = {
      version: line.version,
      experience:
        experience.length === 0 ? before.experience : updateExperience(before.experience, this.#objects, experience),
      products: products.length === 0 ? before.products : updateProducts(before.products, this.#objects, products),
    };
    this.#place = placeOf(line);
    const keysAfter = keysOf([this.#objects], affectedKeys(this.#objects, changes));
    return [...new Set([...keysBefore, ...keysAfter])].sort();
  }
}

function placeOf({ version, digest }: StreamPlace): StreamPlace {
  return { version, digest };
}

/** The objects that differ between two worlds. */
function differing(a: LiveObjects, b: LiveObjects): readonly ObjectName[] {
  const changed: ObjectName[] = [];
  for (const kind of known) {
    for (const object of a.list(kind)) if (!isSame(object, b.get(kind, object.name))) changed.push(object);
    for (const object of b.list(kind)) if (a.get(kind, object.name) === undefined) changed.push(object);
  }
  return changed;
}

function isSame(a: LiveObject, b: LiveObject | undefined): boolean {
  return a.revision === b?.revision && JSON.stringify(a.allotment) === JSON.stringify(b.allotment);
}

/** Names of the Flags that are decided by these objects, directly or through others. */
function affectedKeys(world: LiveObjects, changed: readonly ObjectName[]): readonly string[] {
  const seen = new Set(changed.map(({ kind, name }) => liveKey(kind, name)));
  const flags: string[] = [];
  // A Set is walked with what is added on the way.
  for (const key of seen) {
    const space = key.indexOf(' ');
    const [kind, name] = [key.slice(0, space), key.slice(space + 1)];
    if (kind === Flag.id) flags.push(name);
    if (kind === Experiment.id) {
      const experiment = world.get(kind, name);
      if (experiment !== undefined) seen.add(liveKey(Flag.id, experimentSpec(experiment).flag));
    }
    for (const dependent of world.dependents(kind, name)) seen.add(dependent);
  }
  return flags;
}

/** The keys by which code asks for these Flags, as any of the worlds has them. */
function keysOf(worlds: readonly LiveObjects[], names: readonly string[]): readonly string[] {
  const keys = names.flatMap((name) =>
    worlds.flatMap((world) => {
      const flag = world.get(Flag.id, name);
      return flag === undefined ? [] : [flagKey(name, flagSpec(flag))];
    }),
  );
  return [...new Set(keys)].sort();
}
