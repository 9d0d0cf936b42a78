import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { actingOf } from '../kinds/guardrail-spec.ts';
import type { OnFailure, PolicyEvent, PolicySpec, Stage } from '../kinds/policy-spec.ts';
import { namespacesOf, type ReleaseSpec } from '../kinds/release-spec.ts';
import type {
  ApprovalsStatus,
  EndState,
  Phase,
  ReleaseEngineState,
  ReleaseState,
  Remainder,
  StageInterval,
} from '../kinds/release-status.ts';
import { hasPart, isBake, stagesOf } from '../kinds/release-stages.ts';
import { countApprovals, shortOfPeople, type ApprovalState } from './approvals.ts';
import { policiesOf, policyConflicts } from '../rules/choose-policy.ts';
import type { EffectiveVerdicts } from './effective-verdicts.ts';
import {
  progressHome,
  progressTo,
  seenForRollback,
  type Progress,
  type TargetObservation,
  type DesiredIntent,
} from './progress.ts';

/** Input of a decision, besides the release itself. */
export interface ReleaseObservation {
  readonly nowMs: number;
  /** In release order. */
  readonly targets: readonly TargetObservation[];
  /** Remainders of a rollback, as planned; only while it waits. */
  readonly remains: readonly Remainder[];
  /** Reasons that block the release, in sentences. */
  readonly problems: readonly string[];
  /** Sentences about a change that was rolled back and that this release brings back. */
  readonly takenBackChanges: readonly string[];
  /** Approvers who have lost the right to approve. */
  readonly withoutRight: ReadonlySet<string>;
  /** Names of the releases that go first. */
  readonly behind: readonly string[];
  /** Why no change reaches new users: the stop switch, or a freeze and its end. */
  readonly stopped?: { readonly because: string };
  readonly frozen?: {
    readonly name: string;
    readonly because: string;
    readonly sinceMs: number;
    readonly untilMs: number;
  };
  /** Verdicts by guardrail; one without an entry has not been judged yet. */
  readonly verdicts: EffectiveVerdicts;
  /** True when the declared state equals the earlier live state, and the pins exist. */
  readonly restored: boolean;
  /** Why the last step failed repeatedly. */
  readonly failure?: string;
  /** When this engine started, and the last heartbeat of the engine before it. */
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
}

/** An action to carry out; idempotent. */
export type Effect =
  | { readonly do: 'expose'; readonly target: string; readonly stage: number }
  | { readonly do: 'promote' }
  | { readonly do: 'retract'; readonly target: string }
  | { readonly do: 'restore'; readonly pin: boolean };

export interface ReleaseStep {
  readonly standing: ReleaseEngineState;
  readonly effects: readonly Effect[];
  readonly phase: Phase;
  readonly message: string;
  /** Why it does not reach new users. */
  readonly held?: string;
  readonly approvals?: ApprovalsStatus;
  readonly tell: readonly PolicyEvent[];
  /** When time alone may advance it. */
  readonly wakeAtMs?: number;
  /** Per cent of the units of the stage that have it; absent without an observation, and where the stage splits none. */
  readonly share?: number;
  /** State of its targets; absent without an observation. */
  readonly targets?: readonly TargetObservation[];
  /** It carries kinds that this program does not know. */
  readonly isOfUnknownKind?: true;
}

/** Stage intervals that are stored: more than a policy has stages, for each may restart. */
const STRETCHES_MAX = 50;

/** The author of automatic decisions. */
export const ENGINE = 'system:releases';

/**
 * Decides the next step of a release from its standing and an observation: the new standing and the actions. Pure and
 * deterministic; it performs nothing. Holds never stop a rollback.
 */
export function advance(spec: ReleaseSpec, standing: ReleaseEngineState, seen: ReleaseObservation): ReleaseStep {
  const step = withFailure(stepOf(spec, addDowntime(inTime(standing, seen), seen), seen), seen);
  return isBegun(step.standing.state) || isBegun(standing.state) ? { ...step, targets: seen.targets } : step;
}

/**
 * The step of a release that this program cannot process: it stays where it is, and the time counts as held. A rollback waits
 * too, because a part of it would show a change set in part.
 */
export function suspendStep(
  standing: ReleaseEngineState,
  because: string,
  seen: Pick<ReleaseObservation, 'nowMs' | 'awakeSinceMs' | 'asleepSinceMs'>,
): ReleaseStep {
  const now = addDowntime(inTime(standing, seen), seen);
  const { state } = now;
  const step: ReleaseStep = {
    standing: state.at === 'exposing' ? { ...now, state: addHeldTime(state, { text: because }, seen.nowMs) } : now,
    effects: [],
    tell: [],
    phase: state.at === 'retracting' ? 'RollingBack' : 'Blocked',
    message: state.at === 'retracting' ? `${state.because} The rollback cannot complete yet: ${because}` : because,
    held: because,
    isOfUnknownKind: true,
  };
  return withFailure(step, { failure: because, nowMs: seen.nowMs });
}

function stepOf(spec: ReleaseSpec, standing: ReleaseEngineState, seen: ReleaseObservation): ReleaseStep {
  const { state } = standing;
  switch (state.at) {
    case 'collecting':
      return {
        standing,
        effects: [],
        tell: [],
        phase: 'Collecting',
        message: collectingText(spec),
      };
    case 'waiting': {
      const approvals = countApprovals(spec, standing.approvals, seen);
      return { ...whileWaiting(spec, standing, seen, approvals), ...showApprovals(approvals) };
    }
    case 'exposing':
      return whileExposing(spec, { ...standing, state }, seen);
    case 'promoting':
      return whilePromoting(spec, standing, seen);
    case 'retracting':
      return whileRetracting(standing, state, seen);
    case 'promoted':
      return { standing, effects: [], tell: [], phase: 'Promoted', message: 'Live for everyone.' };
    case 'rolledBack':
    case 'aborted':
    case 'superseded':
      return { standing, effects: [], tell: [], phase: PHASE_OF_ENDING[state.at], message: state.because };
    default:
      return state satisfies never;
  }
}

/** Names the namespaces: a group of the same name in other namespaces is a different one. */
function collectingText(spec: ReleaseSpec): string {
  const namespaces = namespacesOf(spec).filter((name) => name !== '');
  const where =
    namespaces.length === 0
      ? ''
      : ` in ${namespaces.length === 1 ? 'namespace' : 'namespaces'} ${listNames(namespaces)}`;
  return `Collecting changes for group ${spec.group ?? ''}${where} until it is sealed.`;
}

const PHASE_OF_ENDING: Readonly<Record<EndState, Phase>> = {
  rolledBack: 'RolledBack',
  aborted: 'Aborted',
  superseded: 'Superseded',
};

/** Restarts the stage when the clock was set back to before the first observation, or by more than the active time. */
function inTime(standing: ReleaseEngineState, { nowMs }: Pick<ReleaseObservation, 'nowMs'>): ReleaseEngineState {
  const { state } = standing;
  if (state.at !== 'exposing' || state.seenMs === undefined) return standing;
  const { seenMs, heldMs, heldSinceMs, earlier = [] } = state;
  if (seenMs <= nowMs && heldMs <= nowMs - seenMs) return standing;
  const passed =
    seenMs < nowMs ? stageIntervalsUntil(state, nowMs) : earlier.filter(({ untilMs = 0 }) => untilMs <= nowMs);
  const hold = heldSinceMs === undefined ? {} : { heldSinceMs: nowMs };
  return { ...standing, state: { ...state, ...hold, seenMs: nowMs, heldMs: 0, earlier: passed } };
}

/** All intervals in which a cohort had the release; the present one ends now. */
export function stageIntervalsUntil(
  { earlier = [], stage, seenMs }: Exposing,
  nowMs: number,
): readonly StageInterval[] {
  return seenMs === undefined ? earlier : [...earlier, { stage, seenMs, untilMs: nowMs }].slice(-STRETCHES_MAX);
}

/** Engine downtime is no soak time: it counts as held, once for each start of an engine, and not twice during a hold. */
function addDowntime(
  standing: ReleaseEngineState,
  { awakeSinceMs, asleepSinceMs }: Pick<ReleaseObservation, 'awakeSinceMs' | 'asleepSinceMs'>,
): ReleaseEngineState {
  const { state } = standing;
  if (state.at !== 'exposing') return standing;
  const { seenMs: fromMs = state.sinceMs } = state;
  if (state.awakeMs === awakeSinceMs || fromMs >= awakeSinceMs) return standing;
  // An open hold covers the downtime.
  if (state.heldSinceMs !== undefined) return { ...standing, state: { ...state, awakeMs: awakeSinceMs } };
  const asleepMs = Math.max(0, awakeSinceMs - Math.max(asleepSinceMs, fromMs, state.awakeMs ?? 0));
  return { ...standing, state: { ...state, heldMs: state.heldMs + asleepMs, awakeMs: awakeSinceMs } };
}

/** Reports a failure once, until the step works again. */
function withFailure(
  step: ReleaseStep,
  { failure, nowMs }: Pick<ReleaseObservation, 'failure' | 'nowMs'>,
): ReleaseStep {
  const { failing, ...standing } = step.standing;
  if (failure === undefined || isFinished(standing.state)) return failing === undefined ? step : { ...step, standing };
  if (failing !== undefined) return step;
  return {
    ...step,
    standing: { ...standing, failing: { because: failure, sinceMs: nowMs } },
    tell: [...step.tell, 'failed'],
  };
}

/** True in a final state. */
export function isFinished({ at }: ReleaseState): boolean {
  return at === 'promoted' || at === 'rolledBack' || at === 'aborted' || at === 'superseded';
}

/** True while some users have or may have the release, before promotion or rollback is complete. */
export function isBegun(state: ReleaseState): boolean {
  return state.at === 'exposing' || state.at === 'promoting' || (state.at === 'retracting' && state.shown);
}

function whileWaiting(
  spec: ReleaseSpec,
  before: ReleaseEngineState,
  seen: ReleaseObservation,
  approvals: ApprovalState,
): ReleaseStep {
  const doubt = before.decided?.planHash === spec.planHash ? undefined : (before.doubt ?? doubtIn(seen));
  const { doubt: _doubt, remains: _remains, ...kept } = before;
  const standing: ReleaseEngineState = {
    ...kept,
    ...(doubt === undefined ? {} : { doubt }),
    ...(seen.remains.length === 0 ? {} : { remains: seen.remains }),
  };
  const wait = (
    waitsFor: Extract<ReleaseState, { at: 'waiting' }>['for'],
    phase: Phase,
    message: string,
    more: Partial<ReleaseStep> = {},
  ): ReleaseStep => ({
    standing: { ...standing, state: { at: 'waiting', for: waitsFor } },
    effects: [],
    tell: [],
    phase,
    message,
    ...more,
  });
  const isNew = (waitsFor: string) => before.state.at === 'waiting' && before.state.for !== waitsFor;
  if (doubt !== undefined) {
    return wait('decision', 'Paused', doubt, { held: doubt, tell: isNew('decision') ? ['paused'] : [] });
  }
  const problems = [...policyConflicts(policiesOf(spec)), ...seen.problems];
  if (problems.length > 0) return wait('world', 'Blocked', problems.join('; '));
  if (!approvals.isComplete) {
    const short = shortOfPeople(spec);
    if (short.length > 0) return wait('world', 'Blocked', short.join(' '));
    return wait('approval', 'AwaitingApproval', approvalText(spec, approvals), {
      tell: isNew('approval') ? ['approvalNeeded'] : [],
      ...wakeAt(approvals.expiresMs),
    });
  }
  if (seen.behind.length > 0) return wait('turn', 'Queued', `Waits for ${listNames(seen.behind)}.`);
  const hold = holdOf(spec, standing, seen);
  if (hold !== undefined) {
    const phase = standing.paused === undefined ? 'Waiting' : 'Paused';
    return wait('release', phase, hold.text, { held: hold.text, ...wakeAt(hold.untilMs) });
  }
  if ((spec.policy?.spec.stages ?? []).length === 0) {
    return whilePromoting(spec, { ...standing, state: { at: 'promoting' } }, seen);
  }
  return { ...enterStage(spec, standing, 0, seen), tell: ['started'] };
}

/** A change on top of one that was rolled back would bring it back, and nobody has decided that. */
function doubtIn({ takenBackChanges }: ReleaseObservation): string | undefined {
  if (takenBackChanges.length === 0) return undefined;
  return `${takenBackChanges.join(' ')} Resume it to release it anyway, or abort it and apply a new change.`;
}

function showApprovals({ needed, given }: ApprovalState): Pick<ReleaseStep, 'approvals'> {
  return needed.length === 0 && given.length === 0 ? {} : { approvals: { needed, given } };
}

function approvalText({ planHash }: ReleaseSpec, { needed, given }: ApprovalState): string {
  const missing = needed.filter((one) => one.given < one.required);
  const counts = missing.map(({ policy, required, given: has }) => {
    const count = `${required - has} ${required - has === 1 ? 'approval' : 'approvals'}`;
    return needed.length === 1 ? count : `${count} by policy ${policy}`;
  });
  const lost = given.flatMap(({ user, because }) =>
    because === undefined ? [] : [` The approval of ${user} does not count: ${because}.`],
  );
  return `Waits for ${counts.join(' and ')} of plan ${planHash}.${lost.join('')}`;
}

function enterStage(
  spec: ReleaseSpec,
  standing: ReleaseEngineState,
  stage: number,
  seen: ReleaseObservation,
): ReleaseStep {
  const { goOn: _done, ...kept } = standing;
  const earlier = kept.state.at === 'exposing' ? stageIntervalsUntil(kept.state, seen.nowMs) : [];
  const state = { at: 'exposing', stage, sinceMs: seen.nowMs, heldMs: 0, earlier } as const;
  return toStage({ ...kept, state }, stage, progressIn(spec, stage, seen), seen);
}

type Exposing = Extract<ReleaseState, { at: 'exposing' }>;

type ExposingEngineState = ReleaseEngineState & { readonly state: Exposing };

/** Progress of its targets towards a stage. After the last stage every target is whole. */
function progressIn({ policy }: ReleaseSpec, stage: number, { targets }: ReleaseObservation): Progress {
  const stages = policy === undefined ? [] : stagesOf(policy.spec);
  const begins = (target: string): boolean =>
    stage >= stages.length || stages.slice(0, stage + 1).some((one) => hasPart(one, target));
  const intentOf = (target: string): DesiredIntent => (begins(target) ? { at: 'stage', stage } : { at: 'nobody' });
  return progressTo(intentOf, targets, unknownMaxIn(stages, stage));
}

/** Places that may be unknown in a stage; after the last one as many as in it. */
function unknownMaxIn(stages: readonly Stage[], stage: number): number {
  return (stages[stage] ?? stages.at(-1))?.maxUnknown ?? 0;
}

/** Enters a stage, one target at a time. */
function toStage(
  standing: ReleaseEngineState,
  stage: number,
  { turn, waits }: Progress,
  seen: ReleaseObservation,
): ReleaseStep {
  const doing = showProgress(standing, seen.failure ?? waits ?? SHOWING);
  if (turn === undefined) return doing;
  const { begun = [] } = standing;
  const started = begun.includes(turn) ? standing : { ...standing, begun: [...begun, turn] };
  return { ...doing, standing: started, effects: [{ do: 'expose', target: turn, stage }] };
}

const SHOWING = 'Going live in this stage.';

/** Failures of acting guardrails and of places, one sentence each. */
function failuresIn(
  guardrails: PolicySpec['guardrails'],
  { failed }: Progress,
  { verdicts }: ReleaseObservation,
): string[] {
  return [
    ...failed,
    ...actingOf(guardrails).flatMap(({ name }) => {
      const verdict = verdicts.get(name);
      return verdict?.outcome === 'fail' ? [sentenceOf(name, verdict)] : [];
    }),
  ];
}

function whileExposing(spec: ReleaseSpec, before: ExposingEngineState, seen: ReleaseObservation): ReleaseStep {
  const { state: was } = before;
  const place = stageIn(spec, was);
  const { policy } = place;
  const progress = progressIn(spec, was.stage, seen);
  const failed = failuresIn(policy.guardrails, progress, seen);
  if (failed.length > 0) {
    const isAccepted = before.paused !== undefined || before.overruled?.stage === was.stage;
    const because = failed.join(' ');
    if (policy.onFailure === 'rollBack' || !isAccepted) return failStage(policy.onFailure, before, because, seen);
  }
  const hold = holdOf(spec, before, seen);
  const state = addHeldTime(was, hold, seen.nowMs);
  const standing = { ...(hold === undefined ? before : lapseRequest(before)), state };
  if (!progress.isReached) {
    // The observation is no longer valid: the soak restarts at the next one.
    const { seenMs, ...unseen } = state;
    const again = seenMs === undefined ? unseen : { ...unseen, sinceMs: seen.nowMs, heldMs: 0 };
    const step = toStage({ ...standing, state: again }, was.stage, progress, seen);
    // Holds never stop a partial rollback.
    if (progress.isBack === true) return { ...step, ...(hold === undefined ? {} : heldBy(before, hold)) };
    if (hold !== undefined) {
      return { ...step, standing: { ...standing, state: again }, effects: [], ...heldBy(before, hold) };
    }
    const leftMs = deadlineLeftMs(place.stage, again, seen.nowMs);
    if (leftMs > 0) return { ...step, ...wakeAt(seen.nowMs + leftMs) };
    return failUndecided(place, { ...standing, state: again }, [progress.waits ?? SHOWING], seen);
  }
  if (state.seenMs === undefined) {
    const { heldSinceMs: _, ...rest } = state;
    const begun = { ...rest, seenMs: seen.nowMs, heldMs: 0 };
    const fresh = hold === undefined ? begun : { ...begun, heldSinceMs: seen.nowMs };
    return whileSoaking(spec, { ...standing, state: fresh }, seen, hold);
  }
  return whileSoaking(spec, standing, seen, hold);
}

/** Remaining time to the deadline of a stage; held time does not count. */
function deadlineLeftMs({ deadline }: Stage, state: Exposing, nowMs: number): number {
  return deadline === undefined ? Infinity : durationMs(deadline) - activeSince(state, nowMs);
}

/** The deadline has passed. */
function failUndecided(
  { policy: { onUndecided }, stage: { deadline = '' } }: StagePlace,
  standing: ExposingEngineState,
  open: readonly string[],
  seen: ReleaseObservation,
): ReleaseStep {
  return failStage(onUndecided, standing, `Undecided after ${deadline}: ${open.join(' ')}`, seen);
}

/** Reaction to a failed stage, or to one without a decision. */
function failStage(
  does: OnFailure,
  standing: ExposingEngineState,
  because: string,
  seen: ReleaseObservation,
): ReleaseStep {
  switch (does) {
    case 'rollBack':
      return retract(standing, because, seen);
    case 'rollBackStage':
      // Before the first stage nobody has it.
      return standing.state.stage === 0 ? retract(standing, because, seen) : backOneStage(standing, because, seen);
    case 'halt':
      return pausedBy(standing, because, seen);
    default:
      return does satisfies never;
  }
}

/** Returns to the cohort of the earlier stage and waits for a decision. */
function backOneStage(
  { state: was, ...standing }: ExposingEngineState,
  because: string,
  seen: ReleaseObservation,
): ReleaseStep {
  const { nowMs } = seen;
  const { goOn: _lapsed, ...kept } = standing;
  const earlier = stageIntervalsUntil(was, nowMs);
  const state = { at: 'exposing', stage: was.stage - 1, sinceMs: nowMs, heldMs: 0, earlier } as const;
  return pausedBy({ ...kept, state }, because, seen);
}

/** The cohort of the stage has it: decides whether it continues. */
function whileSoaking(
  spec: ReleaseSpec,
  standing: ExposingEngineState,
  seen: ReleaseObservation,
  hold: Hold | undefined,
): ReleaseStep {
  const { state } = standing;
  const place = stageIn(spec, state);
  const { policy, stage } = place;
  const { nowMs } = seen;
  const here = (message: string, more: Partial<ReleaseStep> = {}): ReleaseStep => ({
    ...showProgress(standing, message),
    ...more,
  });
  if (hold !== undefined) return here(hold.text, { ...heldBy(standing, hold), ...wakeAt(hold.untilMs) });
  const activeMs = activeSince(state, nowMs);
  const goOn = standing.goOn?.stage === state.stage && standing.goOn.lapsed !== true ? standing.goOn : undefined;
  const soakLeftMs = goOn === undefined ? durationMs(stage.soak) - activeMs : 0;
  const open = goOn?.force === true ? [] : openGuardrails(policy, state.stage, seen.verdicts);
  const leftMs = deadlineLeftMs(stage, state, nowMs);
  if (open.length > 0 && leftMs <= 0) return failUndecided(place, standing, open, seen);
  const wakes = wakeAt(nowMs + Math.min(soakLeftMs > 0 ? soakLeftMs : Infinity, open.length > 0 ? leftMs : Infinity));
  if (soakLeftMs > 0) {
    const verb = isBake(policy, state.stage) ? 'Bakes' : 'Soaks';
    const openText = open.length === 0 ? '' : ` ${open.join(' ')}`;
    return here(`${verb} until ${untilText(nowMs + soakLeftMs)}.${openText}`, wakes);
  }
  if (open.length > 0) return here(open.join(' '), wakes);
  if (stage.promote === 'manual' && goOn === undefined) return here('Waits for promotion (promote: manual).');
  const next = state.stage + 1;
  if (next < stagesOf(policy).length) return { ...enterStage(spec, standing, next, seen), tell: ['stage'] };
  const { goOn: _done, ...kept } = standing;
  return whilePromoting(spec, { ...kept, state: { at: 'promoting' } }, seen);
}

function whilePromoting(spec: ReleaseSpec, standing: ReleaseEngineState, observed: ReleaseObservation): ReleaseStep {
  const seen = spec.rollbackOf === undefined ? observed : { ...observed, targets: seenForRollback(observed.targets) };
  const doing = (message: string, more: Partial<ReleaseStep> = {}): ReleaseStep => ({
    standing,
    effects: [],
    tell: [],
    phase: 'Promoting',
    message,
    ...more,
  });
  const { targets } = seen;
  const stages = spec.policy === undefined ? [] : stagesOf(spec.policy.spec);
  const everywhere = progressTo(() => ({ at: 'everybody' }), targets, unknownMaxIn(stages, stages.length));
  if (everywhere.isReached) {
    const promoted = { ...standing, state: { at: 'promoted', atMs: seen.nowMs } } as const;
    return { standing: promoted, effects: [], tell: ['promoted'], phase: 'Promoted', message: 'Live for everyone.' };
  }
  const isAll = targets.every(({ intent }) => intent.at === 'everybody');
  // Targets become whole one after the other; then one step makes it live for everyone.
  const isOneByOne = targets.length > 1 && !targets.some(({ intent }) => intent.at === 'everybody');
  const last = isOneByOne ? progressIn(spec, stages.length, seen) : everywhere;
  const failed = last.failed.length > 0 && spec.rollbackOf === undefined ? last.failed.join(' ') : undefined;
  if (failed !== undefined && spec.policy !== undefined) {
    if (spec.policy.spec.onFailure === 'rollBack') return retract(standing, failed, seen);
    const isAccepted = standing.paused !== undefined || standing.overruled?.stage === stages.length;
    if (!isAccepted) return doing(failed, { ...pauseFor(standing, failed, seen), tell: ['paused'] });
  }
  if (isAll) return doing(last.waits ?? 'Going live for everyone.');
  const hold = holdOf(spec, standing, seen);
  if (hold !== undefined) return doing(hold.text, { ...heldBy(standing, hold), ...wakeAt(hold.untilMs) });
  if (seen.problems.length > 0) return doing(seen.problems.join('; '), { held: seen.problems.join('; ') });
  if (isOneByOne && !last.isReached) {
    const { standing: started, effects, message } = toStage(standing, stages.length, last, seen);
    return doing(message, { standing: started, effects });
  }
  return doing(seen.failure ?? 'Going live for everyone.', { effects: [{ do: 'promote' }] });
}

/** Starts a rollback: the decision is stored until it is carried out. */
function retract(standing: ReleaseEngineState, because: string, seen: ReleaseObservation): ReleaseStep {
  const back = startRollback(standing, 'rolledBack', because, ENGINE);
  return whileRetracting(back, back.state, seen);
}

type Retracting = Extract<ReleaseState, { at: 'retracting' }>;

/** The standing at the start of a rollback, for callers that leave the rest to the engine. */
export function startRollback(
  standing: ReleaseEngineState,
  end: EndState,
  because: string,
  by: string,
): ReleaseEngineState & { readonly state: Retracting } {
  const { state } = standing;
  return { ...withoutHolds(standing), state: { at: 'retracting', end, because, by, shown: isBegun(state) } };
}

/** The step of a release that another one supersedes. */
export function supersedeStep(standing: ReleaseEngineState, because: string, by: string): ReleaseStep {
  return {
    standing: startRollback(standing, 'superseded', because, by),
    effects: [],
    tell: [],
    phase: 'RollingBack',
    message: because,
  };
}

function whileRetracting(standing: ReleaseEngineState, state: Retracting, seen: ReleaseObservation): ReleaseStep {
  const { end, because, by, shown } = state;
  const doing = (effects: readonly Effect[], waits?: string): ReleaseStep => {
    const open = seen.failure === undefined ? waits : `The rollback cannot complete yet: ${seen.failure}`;
    const message = open === undefined ? because : `${because} ${open}`;
    return { standing, effects, tell: [], phase: 'RollingBack', message };
  };
  if (shown) {
    // Targets that were never started need no rollback.
    const { begun } = standing;
    const home = progressHome(seen.targets.filter(({ name }) => begun?.includes(name) ?? true));
    if (home.turn !== undefined) return doing([{ do: 'retract', target: home.turn }]);
    if (!home.isReached) return doing([], home.waits);
  }
  if (end !== 'superseded' && !seen.restored) return doing([{ do: 'restore', pin: end === 'rolledBack' }]);
  const ended = { ...standing, state: { at: end, because, by, atMs: seen.nowMs } } as const;
  return { standing: ended, effects: [], tell: [end], phase: PHASE_OF_ENDING[end], message: because };
}

function pausedBy(standing: ExposingEngineState, because: string, seen: ReleaseObservation): ReleaseStep {
  const stopped = { ...standing, state: addHeldTime(standing.state, { text: because }, seen.nowMs) };
  return { ...showProgress(stopped, because), ...pauseFor(stopped, because, seen), tell: ['paused'] };
}

function pauseFor(
  standing: ReleaseEngineState,
  because: string,
  { nowMs }: ReleaseObservation,
): Pick<ReleaseStep, 'standing' | 'phase' | 'held'> {
  return { standing: { ...standing, paused: { by: ENGINE, because, atMs: nowMs } }, phase: 'Paused', held: because };
}

interface Hold {
  readonly text: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Why a release does not reach new users: the stop switch, then a pause, then a freeze. */
function holdOf(
  { rollbackOf }: ReleaseSpec,
  { paused }: ReleaseEngineState,
  { stopped, frozen }: ReleaseObservation,
): Hold | undefined {
  // Holds never stop a rollback.
  if (rollbackOf !== undefined) return undefined;
  if (stopped !== undefined) return { text: `Every release is stopped: ${stopped.because}` };
  if (paused !== undefined) return { text: `Paused by ${paused.by}: ${paused.because}` };
  if (frozen === undefined) return undefined;
  return {
    text: `Freeze ${frozen.name} holds until ${untilText(frozen.untilMs)}: ${frozen.because}`,
    sinceMs: frozen.sinceMs,
    untilMs: frozen.untilMs,
  };
}

function heldBy({ paused, goOn }: ReleaseEngineState, { text }: Hold): Partial<ReleaseStep> {
  const again =
    goOn?.lapsed === true
      ? ` ${goOn.by} requested its promotion before the hold; the request has lapsed: promote it again afterwards.`
      : '';
  return { held: text, message: `${text}${again}`, ...(paused === undefined ? {} : { phase: 'Paused' as const }) };
}

/** A promotion request that was open when a hold began: nobody expects it to take effect after the hold. */
function lapseRequest(standing: ReleaseEngineState): ReleaseEngineState {
  const { goOn } = standing;
  return goOn === undefined || goOn.lapsed === true ? standing : { ...standing, goOn: { ...goOn, lapsed: true } };
}

/** The same stage with its held time, counted from the start of the hold, however late it is observed. */
function addHeldTime(state: Exposing, hold: Hold | undefined, nowMs: number): Exposing {
  if (hold !== undefined) {
    if (state.heldSinceMs !== undefined) return state;
    const sinceMs = Math.max(hold.sinceMs ?? nowMs, state.seenMs ?? nowMs, state.awakeMs ?? 0);
    return { ...state, heldSinceMs: Math.min(sinceMs, nowMs) };
  }
  if (state.heldSinceMs === undefined) return state;
  const { heldSinceMs, ...free } = state;
  return { ...free, heldMs: free.heldMs + Math.max(0, nowMs - heldSinceMs) };
}

/** How long the cohort has had it, or has been about to get it, without held time. */
function activeSince({ sinceMs, seenMs, heldMs, heldSinceMs }: Exposing, nowMs: number): number {
  return Math.max(0, (heldSinceMs ?? nowMs) - (seenMs ?? sinceMs) - heldMs);
}

/** Guardrails that hold promotion from this stage, one sentence each. */
function openGuardrails(policy: PolicySpec, stage: number, verdicts: ReleaseObservation['verdicts']): string[] {
  return actingOf(policy.guardrails).flatMap(({ name, promotesFrom }) => {
    const from = promotesFrom === undefined ? 0 : policy.stages.findIndex((one) => one.name === promotesFrom);
    if (stage < from) return [];
    const verdict = verdicts.get(name);
    // In a bake nothing has to pass, but a failure holds promotion.
    if (isBake(policy, stage)) return verdict?.outcome === 'fail' ? [sentenceOf(name, verdict)] : [];
    if (verdict === undefined) return [`${name}: not judged yet.`];
    if (verdict.outcome !== 'pass') return [sentenceOf(name, verdict)];
    return verdict.isOfStage ? [] : [`${name}: passes so far; waits for a whole window of this stage.`];
  });
}

/** The sentence of a verdict, prefixed with the name where it does not begin with it. */
function sentenceOf(name: string, { because }: { readonly because: string }): string {
  return because.toLowerCase().startsWith(name.toLowerCase()) ? because : `${name}: ${because}`;
}

interface StagePlace {
  readonly policy: PolicySpec;
  readonly stage: Stage;
}

/** The present stage of a release, by the policy stored in it. */
function stageIn({ number, policy }: ReleaseSpec, { stage: index }: Exposing): StagePlace {
  const stage = policy === undefined ? undefined : stagesOf(policy.spec)[index];
  if (policy === undefined || stage === undefined) throw new Error(`release ${number} has no stage ${index}`);
  return { policy: policy.spec, stage };
}

function showProgress(standing: ReleaseEngineState, message: string): ReleaseStep {
  return { standing, effects: [], tell: [], phase: 'Progressing', message };
}

function withoutHolds({ approvals, state, begun, remains }: ReleaseEngineState): ReleaseEngineState {
  return {
    approvals,
    state,
    ...(begun === undefined ? {} : { begun }),
    ...(remains === undefined ? {} : { remains }),
  };
}

function wakeAt(ms: number | undefined): Pick<ReleaseStep, 'wakeAtMs'> {
  return ms === undefined || !Number.isFinite(ms) ? {} : { wakeAtMs: ms };
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

export function untilText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString({ smallestUnit: 'second', roundingMode: 'ceil' });
}
