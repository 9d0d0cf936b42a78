import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { actingOf } from '../kinds/guardrail-spec.ts';
import type { OnFailure, PolicyEvent, PolicySpec, Stage } from '../kinds/policy-spec.ts';
import { namespacesOf, type ReleaseSpec } from '../kinds/release-spec.ts';
import type {
  ApprovalsStatus,
  Ending,
  Phase,
  ReleaseStanding,
  ReleaseState,
  Remainder,
  Stretch,
} from '../kinds/release-status.ts';
import { hasPart, isBake, stagesOf } from '../kinds/stages-of.ts';
import { countApprovals, shortOfPeople, type ApprovalState } from './approvals.ts';
import { policiesOf, policyConflicts } from '../rules/choose-policy.ts';
import type { KnownVerdicts } from './known-verdicts.ts';
import { progressHome, progressTo, seenForRollback, type Progress, type TargetSeen, type Wanted } from './progress.ts';

/** All that deciding about a release goes by, besides the release. */
export interface ReleaseObservation {
  readonly nowMs: number;
  /** In the order in which they go out. */
  readonly targets: readonly TargetSeen[];
  /** What taking it back would leave behind, by the plan; only while it waits. */
  readonly remains: readonly Remainder[];
  /** What keeps the world from taking it, in sentences. */
  readonly problems: readonly string[];
  /** That it brings back what was rolled back, in sentences. */
  readonly bringsBack: readonly string[];
  /** Of those who approved, the users who no longer have the right to. */
  readonly withoutRight: ReadonlySet<string>;
  /** Releases that go first, by name. */
  readonly behind: readonly string[];
  /** Why nothing reaches anybody new: the switch that stops everything, or a freeze and its end. */
  readonly stopped?: { readonly because: string };
  readonly frozen?: {
    readonly name: string;
    readonly because: string;
    readonly sinceMs: number;
    readonly untilMs: number;
  };
  /** What the judge says, by guardrail. One that is missing has not been judged yet. */
  readonly verdicts: KnownVerdicts;
  /** True when what is declared is again what was live before, and pins are set where they belong. */
  readonly restored: boolean;
  /** Why the last step could not be taken, again and again. */
  readonly failure?: string;
  /** When this engine began, and when the one before it was last seen at work. */
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
}

/** What is to be done now; doing it again changes nothing. */
export type Effect =
  | { readonly do: 'expose'; readonly target: string; readonly stage: number }
  | { readonly do: 'promote' }
  | { readonly do: 'retract'; readonly target: string }
  | { readonly do: 'restore'; readonly pin: boolean };

export interface Step {
  readonly standing: ReleaseStanding;
  readonly effects: readonly Effect[];
  readonly phase: Phase;
  readonly message: string;
  /** What keeps it from reaching anybody new. */
  readonly held?: string;
  readonly approvals?: ApprovalsStatus;
  readonly tell: readonly PolicyEvent[];
  /** When time alone may bring it on. */
  readonly wakeAtMs?: number;
  /** How many per cent of the units of its stage get it; absent where nobody looked, and where it splits none. */
  readonly share?: number;
  /** How its targets stand; absent where nobody looked. */
  readonly targets?: readonly TargetSeen[];
}

/** Times of stages that are kept: more than a policy has stages, for each may begin anew. */
const STRETCHES_MAX = 50;

/** Who decides when nobody does. */
export const ENGINE = 'system:releases';

/**
 * One step of a release: from how it stands and what is seen, to how it stands then and what is to be done. Decides and
 * does nothing; called again with the same it says the same. Whatever takes a release back passes every hold.
 */
export function advance(spec: ReleaseSpec, standing: ReleaseStanding, seen: ReleaseObservation): Step {
  const step = withFailure(stepOf(spec, awake(inTime(standing, seen), seen), seen), seen);
  return isBegun(step.standing.state) || isBegun(standing.state) ? { ...step, targets: seen.targets } : step;
}

function stepOf(spec: ReleaseSpec, standing: ReleaseStanding, seen: ReleaseObservation): Step {
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
      return { ...whileWaiting(spec, standing, seen, approvals), ...approvalsShown(approvals) };
    }
    case 'exposing':
      return whileExposing(spec, { ...standing, state }, seen);
    case 'promoting':
      return whilePromoting(spec, standing, seen);
    case 'retracting':
      return whileRetracting(standing, state, seen);
    case 'promoted':
      return { standing, effects: [], tell: [], phase: 'Promoted', message: 'Everybody gets it.' };
    case 'rolledBack':
    case 'aborted':
    case 'superseded':
      return { standing, effects: [], tell: [], phase: PHASE_OF_ENDING[state.at], message: state.because };
    default:
      return state satisfies never;
  }
}

/** Says in which namespaces it collects: a group of the same name in others is another one. */
function collectingText(spec: ReleaseSpec): string {
  const namespaces = namespacesOf(spec).filter((name) => name !== '');
  const where =
    namespaces.length === 0 ? '' : ` in ${namespaces.length === 1 ? 'namespace' : 'namespaces'} ${listed(namespaces)}`;
  return `Takes in what group ${spec.group ?? ''}${where} brings, until it is sealed.`;
}

const PHASE_OF_ENDING: Readonly<Record<Ending, Phase>> = {
  rolledBack: 'RolledBack',
  aborted: 'Aborted',
  superseded: 'Superseded',
};

/** Where the clock went back behind what was seen, or behind the time that was held: then the stage begins anew. */
function inTime(standing: ReleaseStanding, { nowMs }: ReleaseObservation): ReleaseStanding {
  const { state } = standing;
  if (state.at !== 'exposing' || state.seenMs === undefined) return standing;
  const { seenMs, heldMs, heldSinceMs, earlier = [] } = state;
  if (seenMs <= nowMs && heldMs <= nowMs - seenMs) return standing;
  const passed = seenMs < nowMs ? stretchesUntil(state, nowMs) : earlier.filter(({ untilMs = 0 }) => untilMs <= nowMs);
  const hold = heldSinceMs === undefined ? {} : { heldSinceMs: nowMs };
  return { ...standing, state: { ...state, ...hold, seenMs: nowMs, heldMs: 0, earlier: passed } };
}

/** All times in which somebody was seen to have it, the present one ended now. */
export function stretchesUntil({ earlier = [], stage, seenMs }: Exposing, nowMs: number): readonly Stretch[] {
  return seenMs === undefined ? earlier : [...earlier, { stage, seenMs, untilMs: nowMs }].slice(-STRETCHES_MAX);
}

/** The time in which no engine ran is no soak: counted once for each start of an engine, and once with a hold. */
function awake(standing: ReleaseStanding, { awakeSinceMs, asleepSinceMs }: ReleaseObservation): ReleaseStanding {
  const { state } = standing;
  if (state.at !== 'exposing') return standing;
  const { seenMs: fromMs = state.sinceMs } = state;
  if (state.awakeMs === awakeSinceMs || fromMs >= awakeSinceMs) return standing;
  // A hold that has not ended counts all of it.
  if (state.heldSinceMs !== undefined) return { ...standing, state: { ...state, awakeMs: awakeSinceMs } };
  const asleepMs = Math.max(0, awakeSinceMs - Math.max(asleepSinceMs, fromMs, state.awakeMs ?? 0));
  return { ...standing, state: { ...state, heldMs: state.heldMs + asleepMs, awakeMs: awakeSinceMs } };
}

/** What fails is told once, until it works again. */
function withFailure(step: Step, { failure, nowMs }: ReleaseObservation): Step {
  const { failing, ...standing } = step.standing;
  if (failure === undefined || isFinished(standing.state)) return failing === undefined ? step : { ...step, standing };
  if (failing !== undefined) return step;
  return {
    ...step,
    standing: { ...standing, failing: { because: failure, sinceMs: nowMs } },
    tell: [...step.tell, 'failed'],
  };
}

/** True when nothing more will happen to it. */
export function isFinished({ at }: ReleaseState): boolean {
  return at === 'promoted' || at === 'rolledBack' || at === 'aborted' || at === 'superseded';
}

/** True when somebody has it or may have it now, and not everybody for good. */
export function isBegun(state: ReleaseState): boolean {
  return state.at === 'exposing' || state.at === 'promoting' || (state.at === 'retracting' && state.shown);
}

function whileWaiting(
  spec: ReleaseSpec,
  before: ReleaseStanding,
  seen: ReleaseObservation,
  approvals: ApprovalState,
): Step {
  const doubt = before.decided?.planHash === spec.planHash ? undefined : (before.doubt ?? doubtIn(seen));
  const { doubt: _doubt, remains: _remains, ...kept } = before;
  const standing: ReleaseStanding = {
    ...kept,
    ...(doubt === undefined ? {} : { doubt }),
    ...(seen.remains.length === 0 ? {} : { remains: seen.remains }),
  };
  const wait = (
    waitsFor: Extract<ReleaseState, { at: 'waiting' }>['for'],
    phase: Phase,
    message: string,
    more: Partial<Step> = {},
  ): Step => ({
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
  if (seen.behind.length > 0) return wait('turn', 'Queued', `Waits for ${listed(seen.behind)}.`);
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

/** What was declared on top of something that was rolled back brings it back: nobody decided that. */
function doubtIn({ bringsBack }: ReleaseObservation): string | undefined {
  if (bringsBack.length === 0) return undefined;
  return `${bringsBack.join(' ')} Resume it to release it all the same, or abort it and apply the change anew.`;
}

function approvalsShown({ needed, given }: ApprovalState): Pick<Step, 'approvals'> {
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

function enterStage(spec: ReleaseSpec, standing: ReleaseStanding, stage: number, seen: ReleaseObservation): Step {
  const { goOn: _done, ...kept } = standing;
  const earlier = kept.state.at === 'exposing' ? stretchesUntil(kept.state, seen.nowMs) : [];
  const state = { at: 'exposing', stage, sinceMs: seen.nowMs, heldMs: 0, earlier } as const;
  return toStage({ ...kept, state }, stage, progressIn(spec, stage, seen), seen);
}

type Exposing = Extract<ReleaseState, { at: 'exposing' }>;

type ExposingStanding = ReleaseStanding & { readonly state: Exposing };

/** How far its targets have come to a stage. Behind the last one every target has all of it. */
function progressIn({ policy }: ReleaseSpec, stage: number, { targets }: ReleaseObservation): Progress {
  const stages = policy === undefined ? [] : stagesOf(policy.spec);
  const begins = (target: string): boolean =>
    stage >= stages.length || stages.slice(0, stage + 1).some((one) => hasPart(one, target));
  const wanted = (target: string): Wanted => (begins(target) ? { at: 'stage', stage } : { at: 'nobody' });
  return progressTo(wanted, targets, unknownMaxIn(stages, stage));
}

/** How many places may be unknown in a stage; behind the last one as many as in it. */
function unknownMaxIn(stages: readonly Stage[], stage: number): number {
  return (stages[stage] ?? stages.at(-1))?.maxUnknown ?? 0;
}

/** Goes on to a stage with the target whose turn it is. */
function toStage(standing: ReleaseStanding, stage: number, { turn, waits }: Progress, seen: ReleaseObservation): Step {
  const doing = progressing(standing, seen.failure ?? waits ?? SHOWING);
  if (turn === undefined) return doing;
  const { begun = [] } = standing;
  const told = begun.includes(turn) ? standing : { ...standing, begun: [...begun, turn] };
  return { ...doing, standing: told, effects: [{ do: 'expose', target: turn, stage }] };
}

const SHOWING = 'It is being shown to this stage.';

/** What fails: guardrails that act, and places of targets; each with a sentence. */
function failuresIn(
  guardrails: PolicySpec['guardrails'],
  { failed }: Progress,
  { verdicts }: ReleaseObservation,
): string[] {
  return [
    ...failed,
    ...actingOf(guardrails).flatMap(({ name }) => {
      const verdict = verdicts.get(name);
      return verdict?.outcome === 'fail' ? [saidOf(name, verdict)] : [];
    }),
  ];
}

function whileExposing(spec: ReleaseSpec, before: ExposingStanding, seen: ReleaseObservation): Step {
  const { state: was } = before;
  const place = stageIn(spec, was);
  const { policy } = place;
  const progress = progressIn(spec, was.stage, seen);
  const failed = failuresIn(policy.guardrails, progress, seen);
  if (failed.length > 0) {
    const isHeeded = before.paused !== undefined || before.overruled?.stage === was.stage;
    const because = failed.join(' ');
    if (policy.onFailure === 'rollBack' || !isHeeded) return failing(policy.onFailure, before, because, seen);
  }
  const hold = holdOf(spec, before, seen);
  const state = held(was, hold, seen.nowMs);
  const standing = { ...(hold === undefined ? before : lapsed(before)), state };
  if (!progress.isReached) {
    // What was seen is over: the soak begins anew when it is seen again.
    const { seenMs, ...unseen } = state;
    const again = seenMs === undefined ? unseen : { ...unseen, sinceMs: seen.nowMs, heldMs: 0 };
    const step = toStage({ ...standing, state: again }, was.stage, progress, seen);
    // What takes a part back passes every hold.
    if (progress.isBack === true) return { ...step, ...(hold === undefined ? {} : heldBy(before, hold)) };
    if (hold !== undefined) {
      return { ...step, standing: { ...standing, state: again }, effects: [], ...heldBy(before, hold) };
    }
    const leftMs = deadlineLeftMs(place.stage, again, seen.nowMs);
    if (leftMs > 0) return { ...step, ...wakeAt(seen.nowMs + leftMs) };
    return undecided(place, { ...standing, state: again }, [progress.waits ?? SHOWING], seen);
  }
  if (state.seenMs === undefined) {
    const { heldSinceMs: _, ...rest } = state;
    const begun = { ...rest, seenMs: seen.nowMs, heldMs: 0 };
    const fresh = hold === undefined ? begun : { ...begun, heldSinceMs: seen.nowMs };
    return whileSeen(spec, { ...standing, state: fresh }, seen, hold);
  }
  return whileSeen(spec, standing, seen, hold);
}

/** What is left of the deadline of a stage, without the time that it was held. */
function deadlineLeftMs({ deadline }: Stage, state: Exposing, nowMs: number): number {
  return deadline === undefined ? Infinity : durationMs(deadline) - activeSince(state, nowMs);
}

/** The deadline has passed. */
function undecided(
  { policy: { onUndecided }, stage: { deadline = '' } }: StagePlace,
  standing: ExposingStanding,
  open: readonly string[],
  seen: ReleaseObservation,
): Step {
  return failing(onUndecided, standing, `Undecided after ${deadline}: ${open.join(' ')}`, seen);
}

/** What becomes of a stage that failed, or that nobody can decide. */
function failing(does: OnFailure, standing: ExposingStanding, because: string, seen: ReleaseObservation): Step {
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

/** Only who had it before this stage has it then, and somebody decides whether it goes on. */
function backOneStage({ state: was, ...standing }: ExposingStanding, because: string, seen: ReleaseObservation): Step {
  const { nowMs } = seen;
  const { goOn: _lapsed, ...kept } = standing;
  const earlier = stretchesUntil(was, nowMs);
  const state = { at: 'exposing', stage: was.stage - 1, sinceMs: nowMs, heldMs: 0, earlier } as const;
  return pausedBy({ ...kept, state }, because, seen);
}

/** The cohort of the stage has it: does it go on? */
function whileSeen(
  spec: ReleaseSpec,
  standing: ExposingStanding,
  seen: ReleaseObservation,
  hold: Hold | undefined,
): Step {
  const { state } = standing;
  const place = stageIn(spec, state);
  const { policy, stage } = place;
  const { nowMs } = seen;
  const here = (message: string, more: Partial<Step> = {}): Step => ({ ...progressing(standing, message), ...more });
  if (hold !== undefined) return here(hold.text, { ...heldBy(standing, hold), ...wakeAt(hold.untilMs) });
  const activeMs = activeSince(state, nowMs);
  const goOn = standing.goOn?.stage === state.stage && standing.goOn.lapsed !== true ? standing.goOn : undefined;
  const soakLeftMs = goOn === undefined ? durationMs(stage.soak) - activeMs : 0;
  const open = goOn?.force === true ? [] : openGuardrails(policy, state.stage, seen.verdicts);
  const leftMs = deadlineLeftMs(stage, state, nowMs);
  if (open.length > 0 && leftMs <= 0) return undecided(place, standing, open, seen);
  const wakes = wakeAt(nowMs + Math.min(soakLeftMs > 0 ? soakLeftMs : Infinity, open.length > 0 ? leftMs : Infinity));
  if (soakLeftMs > 0) {
    const verb = isBake(policy, state.stage) ? 'Bakes' : 'Soaks';
    const openText = open.length === 0 ? '' : ` ${open.join(' ')}`;
    return here(`${verb} until ${untilText(nowMs + soakLeftMs)}.${openText}`, wakes);
  }
  if (open.length > 0) return here(open.join(' '), wakes);
  if (stage.promote === 'manual' && goOn === undefined) return here('Waits for somebody to promote it.');
  const next = state.stage + 1;
  if (next < stagesOf(policy).length) return { ...enterStage(spec, standing, next, seen), tell: ['stage'] };
  const { goOn: _done, ...kept } = standing;
  return whilePromoting(spec, { ...kept, state: { at: 'promoting' } }, seen);
}

function whilePromoting(spec: ReleaseSpec, standing: ReleaseStanding, observed: ReleaseObservation): Step {
  const seen = spec.rollbackOf === undefined ? observed : { ...observed, targets: seenForRollback(observed.targets) };
  const doing = (message: string, more: Partial<Step> = {}): Step => ({
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
    return { standing: promoted, effects: [], tell: ['promoted'], phase: 'Promoted', message: 'Everybody gets it.' };
  }
  const isAll = targets.every(({ intent }) => intent.at === 'everybody');
  // One after the other they have all of it before it is what everybody has, in one step.
  const isOneByOne = targets.length > 1 && !targets.some(({ intent }) => intent.at === 'everybody');
  const last = isOneByOne ? progressIn(spec, stages.length, seen) : everywhere;
  const failed = last.failed.length > 0 && spec.rollbackOf === undefined ? last.failed.join(' ') : undefined;
  if (failed !== undefined && spec.policy !== undefined) {
    if (spec.policy.spec.onFailure === 'rollBack') return retract(standing, failed, seen);
    const isHeeded = standing.paused !== undefined || standing.overruled?.stage === stages.length;
    if (!isHeeded) return doing(failed, { ...pausing(standing, failed, seen), tell: ['paused'] });
  }
  if (isAll) return doing(last.waits ?? 'It goes to everybody.');
  const hold = holdOf(spec, standing, seen);
  if (hold !== undefined) return doing(hold.text, { ...heldBy(standing, hold), ...wakeAt(hold.untilMs) });
  if (seen.problems.length > 0) return doing(seen.problems.join('; '), { held: seen.problems.join('; ') });
  if (isOneByOne && !last.isReached) {
    const { standing: told, effects, message } = toStage(standing, stages.length, last, seen);
    return doing(message, { standing: told, effects });
  }
  return doing(seen.failure ?? 'It goes to everybody.', { effects: [{ do: 'promote' }] });
}

/** The start of taking a release back: what was decided is kept until it is done. */
function retract(standing: ReleaseStanding, because: string, seen: ReleaseObservation): Step {
  const back = retracting(standing, 'rolledBack', because, ENGINE);
  return whileRetracting(back, back.state, seen);
}

type Retracting = Extract<ReleaseState, { at: 'retracting' }>;

/** The standing of a release that is to be taken back, for those who write it and leave the rest to the engine. */
export function retracting(
  standing: ReleaseStanding,
  end: Ending,
  because: string,
  by: string,
): ReleaseStanding & { readonly state: Retracting } {
  const { state } = standing;
  return { ...withoutHolds(standing), state: { at: 'retracting', end, because, by, shown: isBegun(state) } };
}

/** The step of a release whose place another one takes. */
export function displacing(standing: ReleaseStanding, because: string, by: string): Step {
  return {
    standing: retracting(standing, 'superseded', because, by),
    effects: [],
    tell: [],
    phase: 'RollingBack',
    message: because,
  };
}

function whileRetracting(standing: ReleaseStanding, state: Retracting, seen: ReleaseObservation): Step {
  const { end, because, by, shown } = state;
  const doing = (effects: readonly Effect[], waits?: string): Step => {
    const open = seen.failure === undefined ? waits : `It cannot be taken back yet: ${seen.failure}`;
    const message = open === undefined ? because : `${because} ${open}`;
    return { standing, effects, tell: [], phase: 'RollingBack', message };
  };
  if (shown) {
    // What was never begun there is none of its business.
    const { begun } = standing;
    const home = progressHome(seen.targets.filter(({ name }) => begun?.includes(name) ?? true));
    if (home.turn !== undefined) return doing([{ do: 'retract', target: home.turn }]);
    if (!home.isReached) return doing([], home.waits);
  }
  if (end !== 'superseded' && !seen.restored) return doing([{ do: 'restore', pin: end === 'rolledBack' }]);
  const ended = { ...standing, state: { at: end, because, by, atMs: seen.nowMs } } as const;
  return { standing: ended, effects: [], tell: [end], phase: PHASE_OF_ENDING[end], message: because };
}

function pausedBy(standing: ExposingStanding, because: string, seen: ReleaseObservation): Step {
  const stopped = { ...standing, state: held(standing.state, { text: because }, seen.nowMs) };
  return { ...progressing(stopped, because), ...pausing(stopped, because, seen), tell: ['paused'] };
}

function pausing(
  standing: ReleaseStanding,
  because: string,
  { nowMs }: ReleaseObservation,
): Pick<Step, 'standing' | 'phase' | 'held'> {
  return { standing: { ...standing, paused: { by: ENGINE, because, atMs: nowMs } }, phase: 'Paused', held: because };
}

interface Hold {
  readonly text: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** What keeps a release from reaching anybody new: the switch, then somebody's word, then a freeze. */
function holdOf(
  { rollbackOf }: ReleaseSpec,
  { paused }: ReleaseStanding,
  { stopped, frozen }: ReleaseObservation,
): Hold | undefined {
  // What takes back passes everything.
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

function heldBy({ paused, goOn }: ReleaseStanding, { text }: Hold): Partial<Step> {
  const again =
    goOn?.lapsed === true
      ? ` ${goOn.by} asked for its promotion before that, which has lapsed: promote it again then.`
      : '';
  return { held: text, message: `${text}${again}`, ...(paused === undefined ? {} : { phase: 'Paused' as const }) };
}

/** What was asked of a stage and had not been done when a hold began: nobody expects it to happen when the hold ends. */
function lapsed(standing: ReleaseStanding): ReleaseStanding {
  const { goOn } = standing;
  return goOn === undefined || goOn.lapsed === true ? standing : { ...standing, goOn: { ...goOn, lapsed: true } };
}

/** The same stage, with the time that it is held kept apart, from the start of the hold on, however late it is seen. */
function held(state: Exposing, hold: Hold | undefined, nowMs: number): Exposing {
  if (hold !== undefined) {
    if (state.heldSinceMs !== undefined) return state;
    const sinceMs = Math.max(hold.sinceMs ?? nowMs, state.seenMs ?? nowMs, state.awakeMs ?? 0);
    return { ...state, heldSinceMs: Math.min(sinceMs, nowMs) };
  }
  if (state.heldSinceMs === undefined) return state;
  const { heldSinceMs, ...free } = state;
  return { ...free, heldMs: free.heldMs + Math.max(0, nowMs - heldSinceMs) };
}

/** For how long the cohort has had it, or has been on its way to it, without the time that it was held. */
function activeSince({ sinceMs, seenMs, heldMs, heldSinceMs }: Exposing, nowMs: number): number {
  return Math.max(0, (heldSinceMs ?? nowMs) - (seenMs ?? sinceMs) - heldMs);
}

/** Guardrails that do not let it go on from this stage, each with a sentence. */
function openGuardrails(policy: PolicySpec, stage: number, verdicts: ReleaseObservation['verdicts']): string[] {
  return actingOf(policy.guardrails).flatMap(({ name, promotesFrom }) => {
    const from = promotesFrom === undefined ? 0 : policy.stages.findIndex((one) => one.name === promotesFrom);
    if (stage < from) return [];
    const verdict = verdicts.get(name);
    // In a bake nothing has to pass; what has failed does not go on by itself.
    if (isBake(policy, stage)) return verdict?.outcome === 'fail' ? [saidOf(name, verdict)] : [];
    if (verdict === undefined) return [`${name}: nothing has been judged yet.`];
    if (verdict.outcome !== 'pass') return [saidOf(name, verdict)];
    return verdict.isOfStage ? [] : [`${name}: passes so far; waits for a whole window of this stage.`];
  });
}

/** What the judge says, led by the name where the sentence does not begin with it. */
function saidOf(name: string, { because }: { readonly because: string }): string {
  return because.toLowerCase().startsWith(name.toLowerCase()) ? because : `${name}: ${because}`;
}

interface StagePlace {
  readonly policy: PolicySpec;
  readonly stage: Stage;
}

/** The stage that a release is in. A release keeps the policy that it began with: it has the stage. */
function stageIn({ number, policy }: ReleaseSpec, { stage: index }: Exposing): StagePlace {
  const stage = policy === undefined ? undefined : stagesOf(policy.spec)[index];
  if (policy === undefined || stage === undefined) throw new Error(`release ${number} has no stage ${index}`);
  return { policy: policy.spec, stage };
}

function progressing(standing: ReleaseStanding, message: string): Step {
  return { standing, effects: [], tell: [], phase: 'Progressing', message };
}

function withoutHolds({ approvals, state, begun, remains }: ReleaseStanding): ReleaseStanding {
  return {
    approvals,
    state,
    ...(begun === undefined ? {} : { begun }),
    ...(remains === undefined ? {} : { remains }),
  };
}

function wakeAt(ms: number | undefined): Pick<Step, 'wakeAtMs'> {
  return ms === undefined || !Number.isFinite(ms) ? {} : { wakeAtMs: ms };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

export function untilText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString({ smallestUnit: 'second', roundingMode: 'ceil' });
}
