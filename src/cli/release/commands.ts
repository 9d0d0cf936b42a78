import { systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { Refused } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { followReleases } from './follow.ts';
import { outcomeText, pinnedText } from './outcome.ts';
import { command, findRelease, listReleases, resumeAll, stopAll, stopReason, type CommandVerb } from './release-api.ts';
import { approvalsText, changesText, isFinished, type ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';

const LIMITS = {
  /** How long it is waited for what came of taking a release back: it passes every hold, and takes a moment. */
  outcomeMs: 15_000,
} as const;

export interface CommandOptions extends ConnectionOptions {
  readonly reason?: string;
  readonly plan?: string;
  readonly force?: boolean;
  readonly until?: string;
}

/** `backline release approve|pause|resume|promote|pin|unpin|seal NAME`. */
export async function tell(
  verb: Exclude<CommandVerb, 'abort' | 'rollback'>,
  given: string,
  options: CommandOptions,
  io: Io,
): Promise<number> {
  const connection = connectionFrom(options, io);
  const before = await findRelease(connection, given);
  const { name } = before.metadata;
  const { reason, plan, force, until } = options;
  // Without a hash, what is approved is the plan that was read just now, and no later one.
  const planHash = verb === 'approve' ? (plan ?? before.spec.planHash) : undefined;
  const after = await command(connection, name, verb, { reason, planHash, force, until });
  io.stdout.write(`Release ${name} ${DONE[verb](after)}.\n`);
  return EXIT.ok;
}

const DONE: Readonly<Record<Exclude<CommandVerb, 'abort' | 'rollback'>, (release: ReleaseObject) => string>> = {
  approve: (release) => `is approved (${approvalsText(release) ?? ''} approvals)`,
  pause: () => 'is paused: it reaches nobody new until it is resumed',
  resume: () => 'goes on; its stage begins anew',
  promote: () => 'goes on from this stage',
  pin: ({ spec }) => `is pinned: ${changesText(spec.objects)} may not become anything but what is live`,
  unpin: ({ spec }) =>
    `holds no pin any more: ${changesText(spec.objects)} may change again, unless something else pins it`,
  seal: () => 'is sealed: it takes in nothing more, and goes its way',
};

/** `backline release abort|rollback NAME`: says what will be taken back, and what came of it. */
export async function takeBack(
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
      `it is not done after ${LIMITS.outcomeMs / 1_000} s: ${plain(ended?.status?.message ?? 'nothing is seen of it yet')}`,
      { remedy: `It goes on by itself. Look at it with: backline release watch ${back ?? name}` },
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
  const first = from === undefined ? 'Nobody has got it yet.' : `Takes ${changesText(spec.objects)} back from ${from}.`;
  const then =
    verb === 'rollback'
      ? 'What was live before is live and declared again, and the change is pinned.'
      : 'What was live before is declared again; the same change may be applied again.';
  return `Release ${metadata.name}: ${first} ${then}`;
}

/** The release that takes back another one. */
async function backOf(connection: Connection, name: string): Promise<string | undefined> {
  const { items } = await listReleases(connection, [`spec.rollbackOf=${name}`]);
  return items.toSorted((a, b) => b.spec.number - a.spec.number)[0]?.metadata.name;
}

/** The release at its end, or as it is after a while. */
async function endOf(connection: Connection, name: string): Promise<ReleaseObject | undefined> {
  let last: ReleaseObject | undefined;
  const signal = AbortSignal.timeout(LIMITS.outcomeMs);
  for await (const { releases } of followReleases(connection, name, signal, systemTime)) {
    last = releases.get(name) ?? last;
    if (last !== undefined && isFinished(last)) break;
  }
  return last;
}

/** `backline release stop-all`: nothing reaches anybody new until `resume-all`. */
export async function stopEverything(reason: string, options: ConnectionOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const { items } = await listReleases(connection, ['spec.open=true']);
  const open = items.length === 1 ? '1 release that is open' : `${items.length} releases that are open`;
  try {
    await stopAll(connection, reason);
  } catch (error) {
    const because = error instanceof Refused && error.status === 409 ? await stopReason(connection) : undefined;
    if (because === undefined) throw error;
    throw new CliFailure(`everything is stopped already: ${plain(because)}`, {
      remedy: 'To let it go on: backline release resume-all',
    });
  }
  io.stdout.write(`Holds ${open}, and every change from now on. Abort and rollback still pass.\n`);
  io.stdout.write('Every release is stopped. To let them go on: backline release resume-all\n');
  return EXIT.ok;
}

/** `backline release resume-all`. */
export async function resumeEverything(options: ConnectionOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  try {
    await resumeAll(connection);
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
    throw new CliFailure('nothing is stopped.');
  }
  io.stdout.write('Releases go on.\n');
  return EXIT.ok;
}
