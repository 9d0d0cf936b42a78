import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseEngineState } from '../kinds/release-status.ts';
import type { StoredRelease } from '../kinds/target.ts';
import { ENGINE, type Effect } from './advance.ts';
import { ROLLBACK_USER } from './guard.ts';
import type { Intents } from './intent.ts';
import { pinOperations, restoreOperations } from './restore.ts';

const RESTORER: Author = { user: ROLLBACK_USER, requestId: 'carry-releases' };
/** Consecutive failures of a step before it is reported. */
const FAILURES_MAX = 3;

interface Parts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly intents: Intents;
}

/** Carries out the actions of steps, and records failures. */
export class StepEffects {
  readonly #parts: Parts;
  readonly #failures = new Map<string, { readonly count: number; readonly because: string }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Idempotent. */
  async carryOut(release: StoredRelease, effect: Effect, nowMs: number): Promise<void> {
    const { name } = release;
    try {
      await this.#act(release, effect, nowMs);
      this.#failures.delete(name);
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error);
      this.#failures.set(name, { count: (this.#failures.get(name)?.count ?? 0) + 1, because });
      throw error;
    }
  }

  /** Why the last step failed repeatedly. */
  failureOf(release: string): string | undefined {
    const failure = this.#failures.get(release);
    return failure !== undefined && failure.count >= FAILURES_MAX ? failure.because : undefined;
  }

  forget(release: string): void {
    this.#failures.delete(release);
  }

  /** Whether the declared state equals the earlier live state, and the pins exist. */
  isRestored(release: StoredRelease, { state }: ReleaseEngineState, nowMs: number): boolean {
    return state.at !== 'retracting' || this.#restorations(release, state.end === 'rolledBack', nowMs).length === 0;
  }

  async #act(release: StoredRelease, effect: Effect, nowMs: number): Promise<void> {
    const { intents, store } = this.#parts;
    switch (effect.do) {
      case 'expose':
        return intents.expose(release, effect.target, effect.stage);
      case 'promote':
        return intents.promote(release);
      case 'retract':
        return intents.retract(release, effect.target);
      case 'restore':
        return void (await store.write(this.#restorations(release, effect.pin, nowMs), RESTORER));
      default:
        return effect satisfies never;
    }
  }

  #restorations({ name, spec, object }: StoredRelease, pin: boolean, nowMs: number): Operation[] {
    const { store, live, kinds } = this.#parts;
    const state = Release.status(object)?.standing.state;
    const { by = ENGINE, because = '' } = state?.at === 'retracting' ? state : {};
    return [
      ...(pin ? pinOperations(spec, { release: name, by, because }, store, { kinds, nowMs }) : []),
      ...restoreOperations(spec, store, live.get, kinds),
    ];
  }
}
