import { attributeObjectName } from '#kernel/audiences/language/attributes.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { ATTRIBUTE, AUDIENCE } from '#kernel/audiences/language/identity.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { validateMetadata } from '#kernel/kinds/metadata.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { Experiment } from '../kinds/experiment.ts';
import { Flag } from '../kinds/flag.ts';
import type { ImportResult, Translation, Note } from './import-result.ts';

const kinds = kindRegistry([...audienceKinds, Flag, Experiment]);

/**
 * Keeps the objects that an empty installation would accept and make live. Leaves out and reports every
 * object that the kinds refuse, with its dependents, so imports need no limits of their own. Unused
 * attributes and audiences are dropped silently.
 */
export function keepSound(made: readonly Translation[], notes: readonly Note[]): ImportResult {
  const allNotes = [...notes];
  let kept = made;
  for (;;) {
    const unsound = unsoundIn(kept);
    if (unsound.size === 0) break;
    for (const [{ path, object }, problem] of unsound) {
      const says = `${object.kind} ${object.metadata.name} would be refused at ${fieldPath(problem.path)}: ${problem.detail}`;
      allNotes.push({ path, says, leftOut: true });
    }
    kept = kept.filter((one) => !unsound.has(one));
  }
  const needed = neededBy(kept);
  return { objects: kept.map(({ object }) => object).filter((object) => needed.has(object)), notes: allNotes };
}

function kindOf({ apiVersion, kind }: ResourceObject): Kind {
  const found = kinds.byApiVersion(apiVersion, kind);
  if (found === undefined) throw new Error(`nothing imports a ${kind} of ${apiVersion}`);
  return found;
}

/** Objects that would be refused or held, and why. */
function unsoundIn(made: readonly Translation[]): ReadonlyMap<Translation, Problem> {
  const unsound = new Map<Translation, Problem>();
  const byLive = new Map<LiveObject, ResourceObject>();
  const lives = new Map<Translation, LiveObject>();
  for (const one of made) {
    const kind = kindOf(one.object);
    const structure = structureOf(kind);
    const [problem] = [
      ...structure.validate(structure.applyDefaults(one.object)),
      ...validateMetadata(kind, { ...one.object.metadata, namespace: 'default' }),
    ];
    if (problem !== undefined) {
      unsound.set(one, problem);
      continue;
    }
    const { name } = one.object.metadata;
    const { spec } = one.object;
    const live = { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: contentHash(spec) };
    byLive.set(live, one.object);
    lives.set(one, live);
  }
  const world = new LiveObjects(kinds, byLive.keys());
  const context = {
    now: Temporal.Instant.fromEpochMilliseconds(0),
    find: (kind: string, index: string, value: string) =>
      world.find(kind, index, value).flatMap((live) => byLive.get(live) ?? []),
  };
  for (const [one, { name, namespace, spec }] of lives) {
    const kind = kindOf(one.object);
    const missing = (kind.refs?.(spec, namespace) ?? []).find((ref) => world.get(ref.kind, ref.name) === undefined);
    const [problem] = [
      ...(missing === undefined ? [] : [leftOut(missing)]),
      ...(kind.validate?.(spec, { ...context, name }) ?? []),
      ...(kind.check?.(spec, world, name) ?? []),
    ];
    if (problem !== undefined) unsound.set(one, problem);
  }
  return unsound;
}

function leftOut({ path, kind, name }: { path: Problem['path']; kind: string; name: string }): Problem {
  const detail = `it depends on ${kind.slice(kind.indexOf('/') + 1)} ${name}, which is left out`;
  return { path, reason: 'FieldValueNotFound', detail };
}

/** Flags, experiments, and the attributes and audiences that they use. */
function neededBy(kept: readonly Translation[]): ReadonlySet<ResourceObject> {
  const objects = kept.map(({ object }) => object);
  const silently = new Map(kept.map(({ object, attributes = [] }) => [object, attributes]));
  const byKey = new Map(objects.map((object) => [`${kindOf(object).id} ${object.metadata.name}`, object]));
  const needed = new Set(objects.filter((object) => ![ATTRIBUTE, AUDIENCE].includes(kindOf(object).id)));
  // A Set iterates over elements added during the loop.
  for (const object of needed) {
    const { refs } = kindOf(object);
    const names = [
      ...(refs?.(object.spec, object.metadata.namespace ?? '') ?? []).map(({ kind, name }) => `${kind} ${name}`),
      ...unitsIn(object.spec).map((name) => `${ATTRIBUTE} ${attributeObjectName(name)}`),
      ...(silently.get(object) ?? []).map((name) => `${ATTRIBUTE} ${name}`),
    ];
    for (const name of names) {
      const found = byKey.get(name);
      if (found !== undefined) needed.add(found);
    }
  }
  return needed;
}

/** Unit attributes anywhere in a spec. */
function unitsIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(unitsIn);
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([field, member]) =>
    field === 'unit' && Array.isArray(member) ? member.map(String) : unitsIn(member),
  );
}
