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
import { ENGINE, advance, displacing, isBegun, type ReleaseObservation, type Step } from './advance.ts';
import type { MayApprove } from './approvals.ts';
import { ChangeView } from './change-view.ts';
import type { Declarations } from './declarations.ts';
import { withSentences } from './describe-release.ts';
import type { EngineTimes } from './engine-times.ts';
import type { FollowedFreezes } from './follow-freezes.ts';
import type { Intents } from './intent.ts';
import { lookAfterMs, lookAgainMs } from './look-again.ts';
import { inquire, observe, targetsSeen, type ReleaseInquiry } from './observe-release.ts';
import type { OpenReleases, TrackedRelease } from './open-releases.ts';
import { rebaseRelease, type RebasedRelease } from './rebase-release.ts';
import { respecified, rolledBack, writeStep } from './release-writes.ts';
import { StepEffects } from './step-effects.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'carry-releases' };
const AT_ONCE: Requeue = { afterMs: 0 };

export interface StepperParts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  /** Whether somebody may approve a release, by the rules in force now. */
  readonly mayApprove: MayApprove;
  readonly intents: Intents;
  readonly evidence: Evidence;
  readonly clock: Clock;
}

interface Parts extends StepperParts {
  readonly freezes: FollowedFreezes;
  readonly times: EngineTimes;
  /** Called after a release was inquired, before it is observed. */
  readonly noticeTime: () => void;
}

/** Takes one step of a release at a time: sees, decides, writes what was decided, and only then does it. */
export class ReleaseStepper {
  readonly #parts: Parts & { readonly effects: StepEffects };
  /** Each open release has its own, so that what was parsed for it is dropped with it. */
  readonly #views = new Map<string, ChangeView>();

  constructor(parts: Parts) {
    this.#parts = { ...parts, effects: new StepEffects(parts) };
  }

  /** @returns when the release is to be looked at again; nothing: when something changes */
  async step(release: TrackedRelease): Promise<Requeue | void> {
    const { store, intents, effects, noticeTime } = this.#parts;
    if (isRebased(release)) {
      await this.#loadHistories(release);
      const operations = this.#rebasing(release, this.#rebased(release));
      if (operations.length > 0) return void (await store.write(operations, AUTHOR));
    }
    const inquiry = await inquire(this.#parts, release);
    noticeTime();
    // From here to the claim nothing is awaited: what is seen is what is decided upon.
    if (this.#isOutdated(release, inquiry)) return AT_ONCE;
    const { name, spec, standing } = release;
    const seen = observe(this.#parts, release, inquiry, this.#viewOf(name));
    const step = this.#withShare(advance(spec, standing, seen), spec);
    const operations = this.#operations(release, step, seen);
    if (operations.length > 0) {
      await this.#writeClaimed(release, step, operations);
      // The step is done from what was written: a decision that did not last is not carried out.
      if (step.effects.length > 0) return AT_ONCE;
    } else if (step.effects.length > 0) {
      for (const effect of step.effects) await effects.carryOut(release, effect, seen.nowMs);
      return { afterMs: lookAfterMs(step.effects, seen.targets, targetsSeen(intents, name, inquiry.parts)) };
    }
    const isFollowed = inquiry.parts.some(({ target }) => target.follow !== undefined);
    const afterMs = lookAgainMs(spec, step, seen.targets, { nowMs: seen.nowMs, isFollowed });
    return afterMs === undefined ? undefined : { afterMs };
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

  /** What authors, policies and rollbacks are told by. */
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
        const step = displacing(standing, 'What it brings is live already.', ENGINE);
        return writeStep(object, step, { nowMs: clock().epochMilliseconds });
      }
      case 'changed': {
        const { look } = this.#viewOf(name);
        return [respecified(object, withSentences({ name, spec: now.spec }, look, this.#parts, clock()))];
      }
      default:
        return now satisfies never;
    }
  }

  /** Whether what was inquired of a release is no longer so. */
  #isOutdated(release: TrackedRelease, inquiry: ReleaseInquiry): boolean {
    const { store, open } = this.#parts;
    if (store.get(Release, '', release.name)?.version !== release.version) return true;
    const { behind, beside } = open.before(release);
    const isSame = store.version() === inquiry.version && behind.length === inquiry.behind.length;
    if (isRebased(release) && !isSame && this.#rebased(release).is !== 'same') return true;
    return isWaiting(release.standing.state) && beside.some((other) => !inquiry.beside.includes(other));
  }

  /** How many per cent of the units of its stage get it. */
  #withShare(step: Step, { policy }: ReleaseSpec): Step {
    const { state } = step.standing;
    if (policy === undefined || state.at !== 'exposing') return step;
    const split = splitIn(policy.spec, state.stage, this.#parts.targets);
    return split === undefined ? step : { ...step, share: Number((split.share * 100).toFixed(4)) };
  }

  #operations(
    { name, spec, object }: TrackedRelease,
    step: Step,
    { verdicts, nowMs }: ReleaseObservation,
  ): Operation[] {
    const operations = writeStep(object, step, { verdicts, nowMs });
    if (spec.rollbackOf === undefined || step.standing.state.at !== 'promoted') return operations;
    const taken = this.#parts.store.get(Release, '', spec.rollbackOf);
    return taken === undefined ? operations : [...operations, ...rolledBack(taken.object(), name, nowMs)];
  }

  /** Writes a step. What begins by it holds what it holds before that is written, and not when it fails. */
  async #writeClaimed(
    { name, spec, standing }: TrackedRelease,
    step: Step,
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

/** What has not begun goes by what is live now, and what takes back by what it takes back. */
function isRebased({ spec, standing }: TrackedRelease): boolean {
  return isWaiting(standing.state) && spec.rollbackOf === undefined;
}

function isWaiting({ at }: ReleaseState): boolean {
  return at === 'waiting';
}
