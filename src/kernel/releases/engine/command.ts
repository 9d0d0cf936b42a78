import type { Refusal } from '#kernel/base/failures.ts';
import { releaseRefusal } from '#kernel/releases/refusals.ts';
import type { CommandSpec, CommandVerb } from '../kinds/release-command.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseStanding } from '../kinds/release-status.ts';
import { stagesOf } from '../kinds/stages-of.ts';
import { ENGINE, isBegun, isFinished, retracting, stretchesUntil } from './advance.ts';
import type { OpenRelease } from './form.ts';
import { approvalPolicies, authorBehind, countApprovals, isAsked, type Person } from './approvals.ts';

/** Characters of a plan's hash that nobody finds two plans for. */
const PLAN_HASH_CHARS_MIN = 32;

/** Commands that change how a release stands. The others are about what is live, and not about the way there. */
export type StandingVerb = Exclude<CommandVerb, 'pin' | 'unpin'>;

/** What somebody asks of a release. */
export interface CommandRequest<Verb extends CommandVerb = CommandVerb> {
  readonly verb: Verb;
  readonly given: CommandSpec;
  readonly by: Person;
  readonly nowMs: number;
}

/**
 * What a command makes of a release. Pure. Throws a Refusal that says why it cannot be, and what can.
 */
export function command(request: CommandRequest<StandingVerb>, release: OpenRelease): ReleaseStanding {
  const { verb, given, by, nowMs } = request;
  const { name, spec, standing } = release;
  const { state } = standing;
  const because = given.reason ?? REASON[verb];
  const refuse = (why: string, remedy?: string) => notNow(name, why, remedy);
  if (isFinished(state)) throw refuse(`it has come to its end (${state.at})`, afterTheEnd(verb));
  if (state.at === 'retracting' && verb !== 'abort' && verb !== 'rollback') {
    throw refuse('it is being taken back', 'Nothing stops that. Apply the change again when it is done.');
  }
  switch (verb) {
    case 'approve':
      return approve(request, release);
    case 'pause':
      if (standing.paused !== undefined) throw refuse(`${standing.paused.by} has paused it already`);
      return { ...standing, paused: { by: by.name, because, atMs: nowMs } };
    case 'resume': {
      // What was asked before the pause is asked again, by who has seen what it was paused for.
      const { paused, doubt, goOn: _before, ...going } = standing;
      if (paused === undefined && doubt !== undefined) {
        const decided = { by: by.name, planHash: spec.planHash };
        return { ...going, decided, state: { at: 'waiting', for: 'turn' } };
      }
      if (paused === undefined) throw refuse('it is not paused');
      // What it was paused for has been looked at: the stage begins anew.
      const isEngines = paused.by === ENGINE;
      if (state.at !== 'exposing') {
        const isOverruled = isEngines && state.at === 'promoting';
        const stage = spec.policy === undefined ? 0 : stagesOf(spec.policy.spec).length;
        const overruled = isOverruled ? { overruled: { stage, by: by.name } } : {};
        return { ...going, ...overruled, ...(doubt === undefined ? {} : { doubt }) };
      }
      const { stage } = state;
      const earlier = stretchesUntil(state, nowMs);
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
        throw refuse('it is in no stage', 'It goes on from a stage; see why it waits in its message.');
      if (given.force === true) {
        if (given.reason === undefined) throw refuse('force needs a reason', 'Say why it goes on without evidence.');
        const author = authorBehind(spec, by.name, by.mintedBy);
        if (author !== undefined) throw refuse(`${author} made the change`, 'Somebody else has to force it.');
      }
      return { ...standing, goOn: { stage: state.stage, by: by.name, force: given.force === true } };
    }
    case 'abort':
      if (state.at === 'retracting') return standing;
      return retracting(standing, 'aborted', because, by.name);
    case 'rollback':
      if (state.at === 'retracting') return standing;
      if (!isBegun(state)) throw refuse('nobody has got it yet', 'Abort it.');
      return retracting(standing, 'rolledBack', because, by.name);
    case 'seal':
      if (state.at !== 'collecting') throw refuse('it collects nothing', 'Only a release of a group is sealed.');
      return { ...standing, state: { at: 'waiting', for: 'turn' } };
    default:
      return verb satisfies never;
  }
}

function approve(
  { given: { planHash = '', reason }, by, nowMs }: Omit<CommandRequest, 'verb'>,
  { name: release, spec, standing }: OpenRelease,
): ReleaseStanding {
  const { name: user, uid, groups, mintedBy } = by;
  const refuse = (why: string, remedy?: string) => notNow(release, why, remedy);
  const policies = approvalPolicies(spec);
  if (policies.length === 0) throw refuse('it needs no approval');
  if (standing.state.at !== 'waiting')
    throw refuse(
      standing.state.at === 'collecting' ? 'it still collects' : 'it is under way already',
      'Approve what has not begun.',
    );
  const author = authorBehind(spec, user, mintedBy);
  if (author !== undefined) throw refuse(`${author} made the change`, 'Somebody else has to approve it.');
  if (!policies.some(({ asked }) => isAsked(asked, { name: user, groups }))) {
    const who = policies.flatMap(({ asked }) => [
      ...(asked.users ?? []),
      ...(asked.groups ?? []).map((group) => `members of ${group}`),
    ]);
    throw refuse(`${user} is none of those who approve it`, `Ask ${[...new Set(who)].join(', ')}.`);
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
  // Whoever asks has the right, and what became of the rights of others changes nothing about this one.
  const count = (some: ReleaseStanding['approvals']) =>
    JSON.stringify(countApprovals(spec, some, { nowMs, withoutRight: new Set() }).needed);
  // A ServiceAccount made anew is another one.
  const before = standing.approvals.filter((one) => one.user !== user || one.uid === uid);
  if (count(approvals) === count(before)) {
    const isSame = standing.approvals.some((one) => one.user === user);
    const who = isSame ? user : `the person behind ${user}`;
    throw refuse(`${who} has approved it already`, 'Somebody else has to as well.');
  }
  return { ...standing, approvals };
}

/** Refuses a hash that is not of the present plan, or that is too short to tell plans apart. */
function requirePlan(
  given: string,
  release: string,
  { planHash }: ReleaseSpec,
  refuse: (why: string, remedy?: string) => Refusal,
): void {
  if (given.length < PLAN_HASH_CHARS_MIN) {
    throw refuse(
      `"${given}" is too short for the hash of a plan`,
      `Give at least ${PLAN_HASH_CHARS_MIN} characters of the plan that you have read, as backline release show ${release} prints it.`,
    );
  }
  if (!planHash.startsWith(given)) {
    throw refuse(`its plan is ${planHash}, not ${given}`, 'It has changed: read it again.');
  }
}

const REASON: Readonly<Record<StandingVerb, string>> = {
  approve: 'Approved.',
  pause: 'No reason was given.',
  resume: 'Goes on.',
  promote: 'Goes on.',
  abort: 'Aborted; no reason was given.',
  rollback: 'Rolled back; no reason was given.',
  seal: 'Complete.',
};

function afterTheEnd(verb: StandingVerb): string {
  return verb === 'abort' || verb === 'pause'
    ? 'What everybody has is taken back with rollback.'
    : 'Apply the change again to start anew.';
}

/** A command that cannot be taken as things stand. */
export function notNow(name: string, why: string, remedy?: string): Refusal {
  return releaseRefusal('not-now', `Release "${name}" cannot take that: ${why}.`, {
    subject: name,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
