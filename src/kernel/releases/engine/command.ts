import { Refusal } from '#kernel/base/failures.ts';
import type { CommandSpec, CommandVerb } from '../kinds/release-command.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseStanding } from '../kinds/release-status.ts';
import { ENGINE, approvalsMissing, isBegun, isFinished, retracting } from './advance.ts';

/** Who asks. */
export interface Person {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Commands that change how a release stands. The others are about what is live, and not about the way there. */
type StandingVerb = Exclude<CommandVerb, 'pin' | 'unpin'>;

/**
 * What a command makes of a release. Pure. Throws a Refusal that says why it cannot be, and what can.
 */
export function command(
  verb: StandingVerb,
  given: CommandSpec,
  by: Person,
  name: string,
  spec: ReleaseSpec,
  standing: ReleaseStanding,
  nowMs: number,
): ReleaseStanding {
  const { state } = standing;
  const because = given.reason ?? REASON[verb];
  const refuse = (why: string, remedy?: string) => notNow(name, why, remedy);
  if (isFinished(state)) throw refuse(`it has come to its end (${state.at})`, afterTheEnd(verb));
  if (state.at === 'retracting' && verb !== 'abort' && verb !== 'rollback') {
    throw refuse('it is being taken back', 'Nothing stops that. Apply the change again when it is done.');
  }
  switch (verb) {
    case 'approve':
      return approve(given, by, name, spec, standing, nowMs);
    case 'pause':
      if (standing.paused !== undefined) throw refuse(`${standing.paused.by} has paused it already`);
      return { ...standing, paused: { by: by.name, because, atMs: nowMs } };
    case 'resume': {
      const { paused, ...going } = standing;
      if (paused === undefined) throw refuse('it is not paused');
      // What it was paused for has been looked at: the stage begins anew.
      if (state.at !== 'exposing') return going;
      const { stage } = state;
      const again = { at: 'exposing', stage, sinceMs: nowMs, heldMs: 0 } as const;
      return { ...going, state: again, ...(paused.by === ENGINE ? { overruled: { stage, by: by.name } } : {}) };
    }
    case 'promote': {
      if (state.at !== 'exposing')
        throw refuse('it is in no stage', 'It goes on from a stage; see why it waits in its message.');
      if (given.force === true) {
        if (given.reason === undefined) throw refuse('force needs a reason', 'Say why it goes on without evidence.');
        if (by.name === spec.author) throw refuse('its author may not force it', 'Ask somebody else.');
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
  { planHash = '', reason }: CommandSpec,
  { name: user, groups }: Person,
  release: string,
  spec: ReleaseSpec,
  standing: ReleaseStanding,
  nowMs: number,
): ReleaseStanding {
  const refuse = (why: string, remedy?: string) => notNow(release, why, remedy);
  const asked = spec.policy?.spec.approvals;
  if (asked === undefined) throw refuse('it needs no approval');
  if (standing.state.at !== 'waiting')
    throw refuse(
      standing.state.at === 'collecting' ? 'it still collects' : 'it is under way already',
      'Approve what has not begun.',
    );
  if (user === spec.author) throw refuse(`${user} made the change`, 'Somebody else has to approve it.');
  const isOne = asked.users?.includes(user) === true || asked.groups?.some((group) => groups.includes(group)) === true;
  if (!isOne && (asked.users !== undefined || asked.groups !== undefined)) {
    const who = [...(asked.users ?? []), ...(asked.groups ?? []).map((group) => `members of ${group}`)].join(', ');
    throw refuse(`${user} is none of those who approve it`, `Ask ${who}.`);
  }
  if (planHash !== '' && !spec.planHash.startsWith(planHash)) {
    throw refuse(`its plan is ${spec.planHash.slice(0, 12)}, not ${planHash}`, 'It has changed: read it again.');
  }
  const others = standing.approvals.filter((one) => one.user !== user);
  const mine = standing.approvals.find((one) => one.user === user);
  const stillCounts = approvalsMissing(spec, others, nowMs) > approvalsMissing(spec, standing.approvals, nowMs);
  if (mine !== undefined && stillCounts)
    throw refuse(`${user} has approved it already`, 'Somebody else has to as well.');
  const given = { user, atMs: nowMs, planHash: spec.planHash, ...(reason === undefined ? {} : { reason }) };
  return { ...standing, approvals: [...others, given] };
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
  return new Refusal('releases/not-now', 'Conflict', `Release "${name}" cannot take that: ${why}.`, {
    subject: name,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
