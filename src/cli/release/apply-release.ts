import { systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { Refused } from '../api/call.ts';
import type { Colours } from '../terminal/io.ts';
import { followReleases } from './follow.ts';
import { approvalsText, authorsText, policiesText, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';
import { phasePaint } from './view.ts';

/** How long it is waited for the first thing that the engine says of a release. */
const FIRST_WORD_MS = 1_500;

/**
 * A release as soon as it says where it stands, not only that it has begun. Undefined when there is nothing to be seen of
 * it, also for who may not look at releases: what they applied is applied.
 */
export async function firstWord(connection: Connection, name: string): Promise<ReleaseObject | undefined> {
  let last: ReleaseObject | undefined;
  const signal = AbortSignal.timeout(FIRST_WORD_MS);
  try {
    for await (const { releases } of followReleases(connection, name, signal, systemTime)) {
      last = releases.get(name) ?? last;
      const { message, history = [] } = last?.status ?? {};
      if (last?.spec.open === false || message !== history[0]?.message) break;
    }
  } catch (error) {
    if (!(error instanceof Refused && error.status === FORBIDDEN)) throw error;
  }
  return last;
}

const FORBIDDEN = 403;

/** Of a release that could not be looked at: that it has begun says nothing about whether it goes on. */
export function unseenText(name: string): string {
  return `Release ${name} was made of it. Where it stands could not be read; somebody who may read releases sees it with: backline release show ${name}`;
}

/** What becomes of what was applied: where its release stands, and what somebody has to do. */
export function releaseText(release: ReleaseObject, colours: Colours): string {
  const { metadata, spec, status } = release;
  const { bold, cyan, dim } = colours;
  if (status === undefined) return `Release ${bold(metadata.name)} has just begun.`;
  if (spec.policy === undefined && status.phase === 'Promoted') {
    return `Went to everybody at once (release ${metadata.name}).`;
  }
  const policies = policiesText(spec);
  const policy = policies === undefined ? '' : ` by policy ${policies}`;
  const phase = phasePaint(status.phase, colours)(status.phase);
  return [
    `Release ${bold(metadata.name)}${policy}: ${phase}. ${plain(status.message)}`,
    ...(status.phase === 'AwaitingApproval'
      ? [
          `${cyan('→')} ${dim(`${approvalsText(release) ?? ''} approvals; somebody else than ${authorsText(spec)} says:`)} backline release approve ${metadata.name} --plan ${spec.planHash}`,
        ]
      : []),
    ...(status.phase === 'Collecting'
      ? [`${cyan('→')} ${dim('when the group is complete:')} backline release seal ${metadata.name}`]
      : []),
    ...(spec.open ? [`${cyan('→')} ${dim('to follow it:')} backline release watch ${metadata.name}`] : []),
  ].join('\n');
}
