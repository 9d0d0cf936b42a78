import type { Clock } from '#kernel/base/clock.ts';
import type { Requeue } from '#kernel/controllers/controller.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Evidence } from '../evidence.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { splitIn } from '../kinds/splits.ts';
import type { Targets } from '../kinds/targets.ts';
import {
  ENGINE,
  advance,
  suspendStep,
  supersedeStep,
  isBegun,
  type ReleaseObservation,
  type ReleaseStep,
} from './advance.ts';
import type { MayApprove } from './approvals.ts';
import { ChangeView } from './change-view.ts';
import type { Declarations } from './declarations.ts';
import { withSentences } from './describe-release.ts';
import type { EngineTimes } from './engine-times.ts';
import type { FollowedFreezes } from './follow-freezes.ts';
import type { Intents } from './intent.ts';
import { lookAfterMs, lookAgainMs } from './look-again.ts';
import { inquire, observe, observeTargets, type ReleaseInquiry } from './observe-release.ts';
import type { OpenReleases, TrackedRelease } from './open-releases.ts';
import { rebaseRelease, type RebasedRelease } from './rebase-release.ts';
import { replaceSpec, rolledBack, writeStep } from './release-writes.ts';
import { StepEffects } from './step-effects.ts';
import { retiredKindText, unknownKindText } from './unknown-kinds.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'carry-releases' };
const AT_ONCE: Requeue = { afterMs: 0 };

export interface StepperParts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  /** Whether somebody may approve a release, by the present access rules. */
  readonly mayApprove: MayApprove;
  readonly intents: Intents;
  readonly evidence: Evidence;
  readonly clock: Clock;
}

interface Parts extends StepperParts {
  readonly freezes: FollowedFreezes;
  readonly times: EngineTimes;
  /** Called after the inquiry, before the observation. */
  readonly noticeTime: () => void;
}

/** Takes one step of a release at a time: observes, decides, writes the decision, then carries it out. */
export class ReleaseStepper {
  readonly #parts: Parts & { readonly effects: StepEffects };
  /** One view for each open release, so that its cache ends with it. */
  readonly #views = new Map<string, ChangeView>();

  constructor(parts: Parts) {
    this.#parts = { ...parts, effects: new StepEffects(parts) };
  }

  /** @returns when to process the release again; nothing: at the next change */
  async step(release: TrackedRelease): Promise<Requeue | void> {
    const { store, kinds, intents, effects, noticeTime } = this.#parts;
    const unknown = unknownKindText(release.spec, kinds);
    if (unknown !== undefined) return this.#suspend(release, unknown);
    const retired = release.standing.state.at === 'retracting' ? undefined : retiredKindText(release.spec, kinds);
    if (retired !== undefined) return this.#retire(release, retired);
    if (isRebased(release)) {
      await this.#loadHistories(release);
      const operations = this.#rebasing(release, this.#rebased(release));
      if (operations.length > 0) return void (await store.write(operations, AUTHOR));
    }
    const inquiry = await inquire(this.#parts, release);
    noticeTime();
    // No await from here to the claim: the decision uses what is observed.
    if (this.#isOutdated(release, inquiry)) return AT_ONCE;
    const { name, spec, standing } = release;
    const seen = observe(this.#parts, release, inquiry, this.#viewOf(name));
    const step = this.#withShare(advance(spec, standing, seen), spec);
    const operations = this.#operations(release, step, seen);
    if (operations.length > 0) {
      await this.#writeClaimed(release, step, operations);
      // Actions follow the written decision: one that was not stored is not carried out.
      if (step.effects.length > 0) return AT_ONCE;
    } else if (step.effects.length > 0) {
      for (const effect of step.effects) await effects.carryOut(release, effect, seen.nowMs);
      return { afterMs: lookAfterMs(step.effects, seen.targets, observeTargets(intents, name, inquiry.parts)) };
    }
    const isFollowed = inquiry.parts.some(({ target }) => target.follow !== undefined);
    const afterMs = lookAgainMs(spec, step, seen.targets, { nowMs: seen.nowMs, isFollowed });
    return afterMs === undefined ? undefined : { afterMs };
  }

  /** Says why a release cannot be processed. It is processed again when a kind comes. */
  async #suspend({ standing, object }: TrackedRelease, because: string): Promise<void> {
    const { store, clock, times } = this.#parts;
    const nowMs = clock().epochMilliseconds;
    const operations = writeStep(object, suspendStep(standing, because, { nowMs, ...times.now }), { nowMs });
    if (operations.length > 0) await store.write(operations, AUTHOR);
  }

  /** Ends a release without a trace in what is declared; its other objects come again by themselves. */
  async #retire({ standing, object }: TrackedRelease, because: string): Promise<void> {
    const { store, clock } = this.#parts;
    const step = supersedeStep(standing, because, ENGINE);
    await store.write(writeStep(object, step, { nowMs: clock().epochMilliseconds }), AUTHOR);
  }

  forget(name: string): void {
    this.#parts.effects.forget(name);
    this.#views.delete(name);
  }

  #viewOf(name: string): ChangeView {
    const view = this.#views.get(name) ?? new ChangeView(this.#parts);
    this.#views.set(name, view);
    return view;
  }

  /** The histories that authors, policies and rollbacks depend on. */
  async #loadHistories({ name, spec }: TrackedRelease): Promise<void> {
    const view = this.#viewOf(name);
    for (const one of spec.objects) await view.load(view.look(one), one.to);
  }

  #rebased({ name, spec }: TrackedRelease): RebasedRelease {
    const isFirst = this.#parts.open.before({ name, spec }).behind.length === 0;
    return rebaseRelease(spec, isFirst, this.#viewOf(name).world());
  }

  #rebasing({ name, standing, object }: TrackedRelease, now: RebasedRelease): Operation[] {
    const { clock } = this.#parts;
    switch (now.is) {
      case 'same':
        return [];
      case 'done': {
        const step = supersedeStep(standing, 'All of its changes are live already.', ENGINE);
        return writeStep(object, step, { nowMs: clock().epochMilliseconds });
      }
      case 'changed': {
        const { look } = this.#viewOf(name);
        return [replaceSpec(object, withSentences({ name, spec: now.spec }, look, this.#parts, clock()))];
      }
      default:
        return now satisfies never;
    }
  }

  /** Whether the inquiry is out of date. */
  #isOutdated(release: TrackedRelease, inquiry: ReleaseInquiry): boolean {
    const { store, open } = this.#parts;
    if (store.get(Release, '', release.name)?.version !== release.version) return true;
    const { behind, beside } = open.before(release);
    const isSame = store.version() === inquiry.version && behind.length === inquiry.behind.length;
    if (isRebased(release) && !isSame && this.#rebased(release).is !== 'same') return true;
    return isWaiting(release.standing.state) && beside.some((other) => !inquiry.beside.includes(other));
  }

  /** Per cent of the units of its stage that have it. */
  #withShare(step: ReleaseStep, { policy }: ReleaseSpec): ReleaseStep {
    const { state } = step.standing;
    if (policy === undefined || state.at !== 'exposing') return step;
    const split = splitIn(policy.spec, state.stage, this.#parts.targets);
    return split === undefined ? step : { ...step, share: Number((split.share * 100).toFixed(4)) };
  }

  #operations(
    { name, spec, object }: TrackedRelease,
    step: ReleaseStep,
    { verdicts, nowMs }: ReleaseObservation,
  ): Operation[] {
    const operations = writeStep(object, step, { verdicts, nowMs });
    if (spec.rollbackOf === undefined || step.standing.state.at !== 'promoted') return operations;
    const taken = this.#parts.store.get(Release, '', spec.rollbackOf);
    return taken === undefined ? operations : [...operations, ...rolledBack(taken.object(), name, nowMs)];
  }

  /** Writes a step. A release that starts claims its keys before the write, and frees them when it fails. */
  async #writeClaimed(
    { name, spec, standing }: TrackedRelease,
    step: ReleaseStep,
    operations: readonly Operation[],
  ): Promise<void> {
    const { store, open } = this.#parts;
    const begins = isBegun(step.standing.state) && !isBegun(standing.state);
    if (begins) open.claim(name, spec, step.standing);
    try {
      await store.write(operations, AUTHOR);
    } catch (error) {
      if (begins) open.reload(name);
      throw error;
    }
  }
}

/** A waiting release follows the live state; a rollback does not. */
function isRebased({ spec, standing }: TrackedRelease): boolean {
  return isWaiting(standing.state) && spec.rollbackOf === undefined;
}

function isWaiting({ at }: ReleaseState): boolean {
  return at === 'waiting';
}
