import type { Refusal } from '#kernel/base/failures.ts';
import { releaseRefusal } from '#kernel/releases/refusals.ts';
import type { CommandSpec, CommandVerb } from '../kinds/release-command.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseEngineState } from '../kinds/release-status.ts';
import { stagesOf } from '../kinds/release-stages.ts';
import { ENGINE, isBegun, isFinished, startRollback, stageIntervalsUntil } from './advance.ts';
import type { OpenRelease } from './form.ts';
import { approvalPolicies, authorBehind, countApprovals, isApprover, type Person } from './approvals.ts';

/** Characters of a plan's hash without collisions. */
const PLAN_HASH_CHARS_MIN = 32;

/** Commands that change the standing of a release. The others concern its live objects. */
export type ProgressVerb = Exclude<CommandVerb, 'pin' | 'unpin'>;

/** A command of a user. */
export interface CommandRequest<Verb extends CommandVerb = CommandVerb> {
  readonly verb: Verb;
  readonly given: CommandSpec;
  readonly by: Person;
  readonly nowMs: number;
}

/** The new standing after a command. Pure. Throws a Refusal with the reason and a remedy. */
export function command(request: CommandRequest<ProgressVerb>, release: OpenRelease): ReleaseEngineState {
  const { verb, given, by, nowMs } = request;
  const { name, spec, standing } = release;
  const { state } = standing;
  const because = given.reason ?? REASON[verb];
  const refuse = (why: string, remedy?: string) => notNow(name, why, remedy);
  if (isFinished(state)) throw refuse(`it is already finished (${state.at})`, afterTheEnd(verb));
  if (state.at === 'retracting' && verb !== 'abort' && verb !== 'rollback') {
    throw refuse('it is being rolled back', 'A rollback cannot be stopped. Apply the change again when it is done.');
  }
  switch (verb) {
    case 'approve':
      return approve(request, release);
    case 'pause':
      if (standing.paused !== undefined) throw refuse(`${standing.paused.by} has paused it already`);
      return { ...standing, paused: { by: by.name, because, atMs: nowMs } };
    case 'resume': {
      // A request from before the pause must be repeated after a look at the reason for the pause.
      const { paused, doubt, goOn: _before, ...going } = standing;
      if (paused === undefined && doubt !== undefined) {
        const decided = { by: by.name, planHash: spec.planHash };
        return { ...going, decided, state: { at: 'waiting', for: 'turn' } };
      }
      if (paused === undefined) throw refuse('it is not paused');
      // The reason for the pause has been reviewed: the stage restarts.
      const isEngines = paused.by === ENGINE;
      if (state.at !== 'exposing') {
        const isOverruled = isEngines && state.at === 'promoting';
        const stage = spec.policy === undefined ? 0 : stagesOf(spec.policy.spec).length;
        const overruled = isOverruled ? { overruled: { stage, by: by.name } } : {};
        return { ...going, ...overruled, ...(doubt === undefined ? {} : { doubt }) };
      }
      const { stage } = state;
      const earlier = stageIntervalsUntil(state, nowMs);
      const again = { at: 'exposing', stage, sinceMs: nowMs, heldMs: 0, earlier } as const;
      return { ...going, state: again, ...(isEngines ? { overruled: { stage, by: by.name } } : {}) };
    }
    case 'promote': {
      if (standing.paused !== undefined) {
        throw refuse(
          `${standing.paused.by} has paused it`,
          `Resume it first: backline release resume ${name}. Its stage begins anew; then promote it.`,
        );
      }
      if (state.at !== 'exposing')
        throw refuse('it is in no stage', 'Only a release in a stage can be promoted; its message says why it waits.');
      if (given.force === true) {
        if (given.reason === undefined)
          throw refuse('force needs a reason', 'Give the reason for a promotion without evidence.');
        const author = authorBehind(spec, by.name, by.mintedBy);
        if (author !== undefined) throw refuse(`${author} made the change`, 'Another person has to force it.');
      }
      return { ...standing, goOn: { stage: state.stage, by: by.name, force: given.force === true } };
    }
    case 'abort':
      if (state.at === 'retracting') return standing;
      return startRollback(standing, 'aborted', because, by.name);
    case 'rollback':
      if (state.at === 'retracting') return standing;
      if (!isBegun(state)) throw refuse('it has not been exposed yet', 'Abort it.');
      return startRollback(standing, 'rolledBack', because, by.name);
    case 'seal':
      if (state.at !== 'collecting') throw refuse('it collects no group', 'Only a collecting release can be sealed.');
      return { ...standing, state: { at: 'waiting', for: 'turn' } };
    default:
      return verb satisfies never;
  }
}

function approve(
  { given: { planHash = '', reason }, by, nowMs }: Omit<CommandRequest, 'verb'>,
  { name: release, spec, standing }: OpenRelease,
): ReleaseEngineState {
  const { name: user, uid, groups, mintedBy } = by;
  const refuse = (why: string, remedy?: string) => notNow(release, why, remedy);
  const policies = approvalPolicies(spec);
  if (policies.length === 0) throw refuse('it needs no approval');
  if (standing.state.at !== 'waiting')
    throw refuse(
      standing.state.at === 'collecting' ? 'it is still collecting' : 'it has started already',
      'Approve a release before it starts.',
    );
  const author = authorBehind(spec, user, mintedBy);
  if (author !== undefined) throw refuse(`${author} made the change`, 'Another person has to approve it.');
  if (!policies.some(({ asked }) => isApprover(asked, { name: user, groups }))) {
    const who = policies.flatMap(({ asked }) => [
      ...(asked.users ?? []),
      ...(asked.groups ?? []).map((group) => `members of ${group}`),
    ]);
    throw refuse(`${user} is not an approver`, `Ask ${[...new Set(who)].join(', ')}.`);
  }
  if (planHash !== '') requirePlan(planHash, release, spec, refuse);
  const others = standing.approvals.filter((one) => one.user !== user);
  const given = {
    user,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(mintedBy === undefined ? {} : { mintedBy }),
    atMs: nowMs,
    planHash: spec.planHash,
    ...(reason === undefined ? {} : { reason }),
  };
  const approvals = [...others, given];
  // The caller has the right, and lost rights of others do not matter to this approval.
  const count = (some: ReleaseEngineState['approvals']) =>
    JSON.stringify(countApprovals(spec, some, { nowMs, withoutRight: new Set() }).needed);
  // A ServiceAccount that was created again is a different one.
  const before = standing.approvals.filter((one) => one.user !== user || one.uid === uid);
  if (count(approvals) === count(before)) {
    const isSame = standing.approvals.some((one) => one.user === user);
    const who = isSame ? user : `the person behind ${user}`;
    throw refuse(`${who} has approved it already`, 'Another person has to approve it too.');
  }
  return { ...standing, approvals };
}

/** Refuses a hash of another plan, or one that is too short to be unique. */
function requirePlan(
  given: string,
  release: string,
  { planHash }: ReleaseSpec,
  refuse: (why: string, remedy?: string) => Refusal,
): void {
  if (given.length < PLAN_HASH_CHARS_MIN) {
    throw refuse(
      `"${given}" is too short for the hash of a plan`,
      `Give at least ${PLAN_HASH_CHARS_MIN} characters of the plan that you have reviewed; backline release show ${release} prints it.`,
    );
  }
  if (!planHash.startsWith(given)) {
    throw refuse(`its plan is ${planHash}, not ${given}`, 'The plan has changed: review it again.');
  }
}

const REASON: Readonly<Record<ProgressVerb, string>> = {
  approve: 'Approved.',
  pause: 'No reason was given.',
  resume: 'Resumed.',
  promote: 'Promoted.',
  abort: 'Aborted; no reason was given.',
  rollback: 'Rolled back; no reason was given.',
  seal: 'Complete.',
};

function afterTheEnd(verb: ProgressVerb): string {
  return verb === 'abort' || verb === 'pause'
    ? 'A promoted release is ended with rollback.'
    : 'Apply the change again to start anew.';
}

/** Refuses a command that the present state does not allow. */
export function notNow(name: string, why: string, remedy?: string): Refusal {
  return releaseRefusal('not-now', `Release "${name}" cannot take this command: ${why}.`, {
    subject: name,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
