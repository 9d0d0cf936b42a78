import { systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { ServerRefusal } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { followReleases } from './follow.ts';
import { outcomeText, pinnedText } from './outcome.ts';
import { command, findRelease, listReleases, resumeAll, stopAll, stopReason, type CommandVerb } from './release-api.ts';
import { approvalsText, changesText, isFinished, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';

const LIMITS = {
  /** How long to wait for the result of a rollback: no hold stops it, and it takes a moment. */
  outcomeMs: 15_000,
} as const;

export interface CommandOptions extends ConnectionOptions {
  readonly reason?: string;
  readonly plan?: string;
  readonly force?: boolean;
  readonly until?: string;
}

/** `backline release approve|pause|resume|promote|pin|unpin|seal NAME`. */
export async function sendCommand(
  verb: Exclude<CommandVerb, 'abort' | 'rollback'>,
  given: string,
  options: CommandOptions,
  io: Io,
): Promise<number> {
  const connection = connectionFrom(options, io);
  const before = await findRelease(connection, given);
  const { name } = before.metadata;
  const { reason, plan, force, until } = options;
  // Without --plan, the command approves the plan that was read just now, and no later one.
  const planHash = verb === 'approve' ? (plan ?? before.spec.planHash) : undefined;
  const after = await command(connection, name, verb, { reason, planHash, force, until });
  io.stdout.write(`Release ${name} ${DONE[verb](after)}.\n`);
  return EXIT.ok;
}

const DONE: Readonly<Record<Exclude<CommandVerb, 'abort' | 'rollback'>, (release: ReleaseObject) => string>> = {
  approve: (release) => `is approved (${approvalsText(release) ?? ''} approvals)`,
  pause: () => 'is paused: it reaches no new users until it is resumed',
  resume: () => 'is resumed; its stage restarts',
  promote: () => 'is promoted from this stage',
  pin: ({ spec }) => `is pinned: ${changesText(spec.objects)} must stay as live`,
  unpin: ({ spec }) => `is unpinned: ${changesText(spec.objects)} may change again, unless another pin refuses it`,
  seal: () => 'is sealed: it collects no more changes, and starts',
};

/** `backline release abort|rollback NAME`: prints the effect and the result. */
export async function endRelease(
  verb: 'abort' | 'rollback',
  given: string,
  options: CommandOptions,
  io: Io,
): Promise<number> {
  const connection = connectionFrom(options, io);
  const before = await findRelease(connection, given);
  const { name } = before.metadata;
  const after = await command(connection, name, verb, { reason: options.reason });
  io.stdout.write(`${intentText(verb, before)}\n`);
  const back = after.status?.phase === 'Promoted' ? await backOf(connection, name) : name;
  const ended = back === undefined ? undefined : await endOf(connection, back);
  if (ended === undefined || !isFinished(ended)) {
    throw new CliFailure(
      `timeout after ${LIMITS.outcomeMs / 1_000} s: ${plain(ended?.status?.message ?? 'no status yet')}`,
      { remedy: `It continues in the background. Follow it with: backline release watch ${back ?? name}` },
    );
  }
  const { green } = coloursFor(io.stdout, io.env);
  const text = outcomeText(ended);
  io.stdout.write(`${green(text.charAt(0).toUpperCase() + text.slice(1))}\n`);
  if (verb === 'rollback') {
    io.stdout.write(`${pinnedText(before)}\n`);
  }
  return EXIT.ok;
}

function intentText(verb: 'abort' | 'rollback', { metadata, spec, status }: ReleaseObject): string {
  const from =
    status?.phase === 'Promoted'
      ? 'everybody'
      : status?.stage === undefined
        ? undefined
        : `stage ${status.stage} (${status.share ?? 0}%)`;
  const first =
    from === undefined ? 'It has not been exposed yet.' : `Rolls ${changesText(spec.objects)} back from ${from}.`;
  const then =
    verb === 'rollback'
      ? 'The earlier state is live and declared again, and the change is pinned.'
      : 'The live state is declared again; the same change may be applied again.';
  return `Release ${metadata.name}: ${first} ${then}`;
}

/** The rollback of a release. */
async function backOf(connection: Connection, name: string): Promise<string | undefined> {
  const { items } = await listReleases(connection, [`spec.rollbackOf=${name}`]);
  return items.toSorted((a, b) => b.spec.number - a.spec.number)[0]?.metadata.name;
}

/** The finished release, or its state after the timeout. */
async function endOf(connection: Connection, name: string): Promise<ReleaseObject | undefined> {
  let last: ReleaseObject | undefined;
  const signal = AbortSignal.timeout(LIMITS.outcomeMs);
  for await (const { releases } of followReleases(connection, name, signal, systemTime)) {
    last = releases.get(name) ?? last;
    if (last !== undefined && isFinished(last)) break;
  }
  return last;
}

/** `backline release stop-all`: no change reaches new users until `resume-all`. */
export async function stopEverything(reason: string, options: ConnectionOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const { items } = await listReleases(connection, ['spec.open=true']);
  const open = items.length === 1 ? '1 open release' : `${items.length} open releases`;
  try {
    await stopAll(connection, reason);
  } catch (error) {
    const because = error instanceof ServerRefusal && error.status === 409 ? await stopReason(connection) : undefined;
    if (because === undefined) throw error;
    throw new CliFailure(`everything is stopped already: ${plain(because)}`, {
      remedy: 'Resume with: backline release resume-all',
    });
  }
  io.stdout.write(`Holds ${open}, and every later change. Abort and rollback are still allowed.\n`);
  io.stdout.write('Every release is stopped. Resume with: backline release resume-all\n');
  return EXIT.ok;
}

/** `backline release resume-all`. */
export async function resumeEverything(options: ConnectionOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  try {
    await resumeAll(connection);
  } catch (error) {
    if (!(error instanceof ServerRefusal && error.status === 404)) throw error;
    throw new CliFailure('nothing is stopped.');
  }
  io.stdout.write('Releases are resumed.\n');
  return EXIT.ok;
}
