import { systemClock } from '#kernel/base/clock.ts';
import { systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, readable, type Io } from '../terminal/io.ts';
import { followReleases, type ReleaseObservation } from './follow.ts';
import { frame } from './frame.ts';
import { failureOf, outcomeText } from './outcome.ts';
import { changeLine } from './change-line.ts';
import { stopSignal } from '../terminal/stop-signal.ts';
import { findRelease } from './release-api.ts';
import { isFinished, type ReleaseObject } from './release-object.ts';
import { openScreen, widthOfScreen } from './screen.ts';
import type { View } from './view.ts';

const LIMITS = {
  /** Redraw interval of countdowns. */
  tickMs: 1_000,
} as const;

/** `backline release watch [NAME]`: shows releases until the named one is finished. */
export async function watch(given: string | undefined, options: ConnectionOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  if (given !== undefined) {
    const { metadata } = await findRelease(connection, given);
    return waitForEnd(connection, metadata.name, io, {});
  }
  await show(io, { connection });
  return EXIT.interrupted;
}

/** Shows one release until it is finished. Returns 0 when it is promoted; throws with the reason otherwise, or on a timeout. */
export async function waitForEnd(
  connection: Connection,
  name: string,
  io: Io,
  { timeoutMs }: { readonly timeoutMs?: number },
): Promise<number> {
  const late = timeoutMs === undefined ? new AbortController().signal : AbortSignal.timeout(Math.ceil(timeoutMs));
  let last: ReleaseObject | undefined;
  const isEnough = ({ releases, away }: ReleaseObservation): boolean => {
    last = releases.get(name) ?? last;
    return away === undefined && (!releases.has(name) || (last !== undefined && isFinished(last)));
  };
  await show(io, { connection, name, signal: late, isEnough });
  if (last === undefined) throw new CliFailure(`release ${name} is gone.`);
  if (isFinished(last)) {
    const failure = failureOf(last);
    if (failure !== undefined) throw failure;
    io.stdout.write(`${coloursFor(io.stdout, io.env).green(outcomeText(last))}\n`);
    return EXIT.ok;
  }
  if (!late.aborted) {
    io.stderr.write(`Release ${name} continues in the background.\n`);
    return EXIT.interrupted;
  }
  throw new CliFailure(`timeout: release ${name} is not finished: ${last.status?.phase}, ${last.status?.message}`, {
    remedy: `It continues in the background. Follow it with: backline release watch ${name}`,
  });
}

interface Shown {
  readonly connection: Connection;
  /** One release alone; absent: all open ones. */
  readonly name?: string;
  readonly signal?: AbortSignal;
  /** Whether this is the last observation; absent: until Ctrl-C. */
  readonly isEnough?: (seen: ReleaseObservation) => boolean;
}

/** Follows releases and shows each change: live on a terminal, otherwise a line each. Ends when `isEnough`, or Ctrl-C. */
async function show(io: Io, { connection, name, signal, isEnough = () => false }: Shown): Promise<void> {
  using stop = stopSignal();
  const ends = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  const seen = until(followReleases(connection, name, ends, systemTime), isEnough);
  const isLive = io.stdout.isTTY === true && io.env['TERM'] !== 'dumb';
  await (isLive ? showLive(seen, name, io) : showLines(seen, name, io));
}

async function* until(
  seen: AsyncIterable<ReleaseObservation>,
  isEnough: (seen: ReleaseObservation) => boolean,
): AsyncIterable<ReleaseObservation> {
  for await (const next of seen) {
    yield next;
    if (isEnough(next)) return;
  }
}

async function showLive(seen: AsyncIterable<ReleaseObservation>, name: string | undefined, io: Io): Promise<void> {
  const output = io.exact;
  let latest: ReleaseObservation = { releases: new Map() };
  const lines = (): string[] => frame(latest, name, viewNow(io)).map(readable);
  const screen = openScreen(output);
  const draw = (): void => screen.draw(lines());
  let cancelTick = (): void => {};
  const tick = (): void => {
    draw();
    cancelTick = systemTime.after(LIMITS.tickMs, tick);
  };
  // A program that fails restores the terminal too.
  process.once('exit', screen.close);
  output.on?.('resize', draw);
  cancelTick = systemTime.after(LIMITS.tickMs, tick);
  try {
    for await (const next of seen) {
      latest = next;
      draw();
    }
  } finally {
    cancelTick();
    output.off?.('resize', draw);
    process.off('exit', screen.close);
    screen.close();
  }
  // The last view stays on the terminal.
  if (latest.releases.size > 0) output.write(`${lines().join('\n')}\n`);
}

async function showLines(seen: AsyncIterable<ReleaseObservation>, name: string | undefined, io: Io): Promise<void> {
  const shown = new Map<string, string>();
  let wasAway = false;
  for await (const next of seen) {
    if (next.away !== undefined && !wasAway) io.stderr.write(`server unavailable: ${next.away}; retrying\n`);
    wasAway = next.away !== undefined;
    for (const [key, release] of next.releases) {
      const text = changeLine(release);
      if (text === undefined || shown.get(key) === text) continue;
      shown.set(key, text);
      io.stdout.write(`${timeNow()}  ${text}\n`);
    }
  }
  if (name === undefined && shown.size === 0) io.stderr.write('No release is open.\n');
}

function timeNow(): string {
  return systemClock().toString({ smallestUnit: 'second' });
}

function viewNow(io: Io): View {
  return {
    nowMs: systemClock().epochMilliseconds,
    width: widthOfScreen(io.exact),
    colours: coloursFor(io.stdout, io.env),
    timeZone: Temporal.Now.timeZoneId(),
  };
}
