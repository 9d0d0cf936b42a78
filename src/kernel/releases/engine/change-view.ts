import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Targets } from '../kinds/targets.ts';
import { policiesIn } from '../rules/choose-policy.ts';
import { findTakenBackChanges } from './find-taken-back.ts';
import type { QueuedObject } from './change-queue.ts';
import type { Declarations } from './declarations.ts';
import type { PendingChange, Look, OpenRelease, World } from './form.ts';
import type { Origins } from './group-by-write.ts';
import { lookAt } from './look.ts';
import type { OpenReleases } from './open-releases.ts';
import { needsRelease } from './route-change.ts';
import type { State } from './same-side.ts';

interface Parts {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
}

/** Changes as the store has them at each call. Caches parsed objects: use one view for one pass. */
export class ChangeView {
  readonly look: Look;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.look = lookAt(parts.store, parts.kinds);
  }

  /** Reads the part of the history that `trail` needs. */
  async load({ kind, name, live }: PendingChange, to: State | undefined): Promise<void> {
    await this.#parts.declarations.load(kind, name, live?.object, to);
  }

  /** The declarations after the live state, up to a given state. */
  readonly trail: World['trail'] = ({ kind, name, live }, to) =>
    this.#parts.declarations.between(kind.id, name, live?.object, to);

  /** The writes of the present declaration: from the queue, or from the record of changes. */
  origins(object: QueuedObject): Origins {
    const [first, ...others] = object.origins;
    if (first !== undefined) return [first, ...others];
    const changed = this.look(object);
    const last = this.trail(changed, changed.wanted?.object).steps.at(-1);
    if (last !== undefined) return [{ write: last.write, user: last.user, version: last.version }];
    const version = this.#parts.store.version();
    return [{ write: version, user: 'unknown', version }];
  }

  carriers({ kind, name }: PendingChange): readonly OpenRelease[] {
    return this.#parts.open.carriersOf(kind.id, name);
  }

  needsRelease(changed: PendingChange): boolean {
    const { store, kinds } = this.#parts;
    const { wanted } = changed;
    return needsRelease(changed, {
      carriers: this.carriers(changed),
      trail: () => this.trail(changed, wanted?.object),
      policies: () => policiesIn(store, kinds),
      isOnTakenBack: (trail) => findTakenBackChanges(store, changed, wanted?.object, trail).length > 0,
    });
  }

  world(): World {
    const { store, kinds, targets } = this.#parts;
    return { kinds, targets, policies: policiesIn(store, kinds), look: this.look, trail: this.trail };
  }
}
