import { systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { ServerRefusal } from '../api/call.ts';
import type { Colours } from '../terminal/io.ts';
import { followReleases } from './follow.ts';
import { approvalsText, authorsText, policiesText, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';
import { phasePaint } from './view.ts';

/** How long to wait for the first status of a release. */
const FIRST_WORD_MS = 1_500;

/**
 * Waits until a release has a status beyond its creation. undefined without a status, and for users who may not read releases:
 * their apply has succeeded.
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
    if (!(error instanceof ServerRefusal && error.status === FORBIDDEN)) throw error;
  }
  return last;
}

const FORBIDDEN = 403;

/** For a release that could not be read: that it exists does not show whether it advances. */
export function unseenText(name: string): string {
  return `Created release ${name}. You may not read its status; ask somebody who may: backline release show ${name}`;
}

/** The state of the release after an apply, and the next action of the user. */
export function releaseText(release: ReleaseObject, colours: Colours): string {
  const { metadata, spec, status } = release;
  const { bold, cyan, dim } = colours;
  if (status === undefined) return `Release ${bold(metadata.name)} was just created.`;
  if (spec.policy === undefined && status.phase === 'Promoted') {
    return `Live for everyone at once (release ${metadata.name}).`;
  }
  const policies = policiesText(spec);
  const policy = policies === undefined ? '' : ` by policy ${policies}`;
  const phase = phasePaint(status.phase, colours)(status.phase);
  return [
    `Release ${bold(metadata.name)}${policy}: ${phase}. ${plain(status.message)}`,
    ...(status.phase === 'AwaitingApproval'
      ? [
          `${cyan('→')} ${dim(`${approvalsText(release) ?? ''} approvals; approver (not ${authorsText(spec)}):`)} backline release approve ${metadata.name} --plan ${spec.planHash}`,
        ]
      : []),
    ...(status.phase === 'Collecting'
      ? [`${cyan('→')} ${dim('when the group is complete:')} backline release seal ${metadata.name}`]
      : []),
    ...(spec.open ? [`${cyan('→')} ${dim('to follow it:')} backline release watch ${metadata.name}`] : []),
  ].join('\n');
}
