import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { LiveObject } from '#kernel/resources/kind.ts';
import { kindRegistry } from '#kernel/resources/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { StreamLine } from '#kernel/snapshots/stream.ts';
import { compile as compileExperience, update as updateExperience } from '#domains/experience/decisions/compile.ts';
import type { ExperienceTable } from '#domains/experience/decisions/table.ts';
import { Experiment } from '#domains/experience/kinds/experiment.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
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

/** What is answered from: the same tables as on a decision node, by the same code. Immutable. */
export interface LocalSnapshot {
  readonly version: string;
  readonly experience: ExperienceTable;
  readonly products: ProductsTable;
}

/** Keeps the live objects that the stream tells of, and makes snapshots of them. */
export class LocalWorld {
  #objects = new LiveObjects(kinds);
  #snapshot: LocalSnapshot | undefined;

  get snapshot(): LocalSnapshot | undefined {
    return this.#snapshot;
  }

  /** Everything that is live, to be kept for a start without the server. */
  objects(): LiveObject[] {
    return [...known].flatMap((kind) => [...this.#objects.list(kind)]);
  }

  /** Takes one line of the stream. A world that does not compile throws, and the snapshot before stays. */
  take(line: StreamLine): void {
    const { version } = line;
    if (line.type === 'all') {
      this.#objects = new LiveObjects(
        kinds,
        line.objects.filter(({ kind }) => known.has(kind)),
      );
      this.#compile(version);
    } else if (line.type === 'changes') {
      // Kinds that this version of the client does not know are for others.
      const changes = line.changes.filter(({ kind }) => known.has(kind));
      for (const { kind, name, object } of changes) {
        if (object === undefined) this.#objects.delete(kind, name);
        else this.#objects.set(object);
      }
      const before = this.#snapshot;
      if (before === undefined) return this.#compile(version);
      const experience = changes.filter(({ kind }) => ofExperience.has(kind));
      const products = changes.filter(({ kind }) => !ofExperience.has(kind));
      this.#snapshot = {
        version,
        experience:
          experience.length === 0 ? before.experience : updateExperience(before.experience, this.#objects, experience),
        products: products.length === 0 ? before.products : updateProducts(before.products, this.#objects, products),
      };
    }
  }

  #compile(version: string): void {
    this.#snapshot = {
      version,
      experience: compileExperience(this.#objects),
      products: compileProducts(this.#objects),
    };
  }
}
