import type { Clock } from '#kernel/base/clock.ts';
import { pause, systemTime } from '#kernel/base/time.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { readText, send, type Connection } from '#kernel/resources/client/http.ts';
import { chance, seedOf } from './chance.ts';
import { contextOf, listenerAt } from './listener.ts';
import { session, type AppEvent, type Effect, type ShownFlag } from './session.ts';

/** Sessions that are under way at once; more wait, so that a slow server is not buried. */
const CONCURRENCY_MAX = 32;
/** After a failure the next try waits this long. */
const RETRY_MS = 1_000;

export interface SimulationOptions {
  readonly connection: Connection;
  /** Listeners that there are; each session is of one of them. */
  readonly listeners: number;
  readonly seed: number;
  readonly sessionsPerSecond: number;
  /** Ends after so many; undefined goes on until `signal`. */
  readonly sessions?: number | undefined;
  readonly effects: readonly Effect[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress?: (done: SimulationProgress) => void;
}

export interface SimulationProgress {
  readonly sessions: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Sessions that could not be carried out, and why the last one could not. */
  readonly failed: number;
  readonly lastFailure: string | undefined;
}

/**
 * Plays the app for made-up listeners: asks for their flags as an OpenFeature client does, and sends what they do as
 * events. Goes on through failures. The same seed gives the same listeners, who do the same at the same variants.
 */
export async function simulateListeners(options: SimulationOptions): Promise<SimulationProgress> {
  const { seed, listeners, sessionsPerSecond, signal, clock, progress } = options;
  const luck = chance(seedOf(seed, -1));
  const active = new Set<Promise<void>>();
  const done = {
    sessions: 0,
    accepted: 0,
    duplicates: 0,
    quarantined: 0,
    failed: 0,
    lastFailure: undefined as string | undefined,
  };
  const beganMs = performance.now();
  let waitedMs = 0;
  for (let number = 0; !signal.aborted && number < (options.sessions ?? Infinity); number += 1) {
    waitedMs += luck.exponential(1_000 / sessionsPerSecond);
    const earlyMs = beganMs + waitedMs - performance.now();
    if (earlyMs > 0) await pause(systemTime, earlyMs, signal);
    while (active.size >= CONCURRENCY_MAX) await Promise.race(active);
    if (signal.aborted) break;
    const work = play(Math.floor(luck.next() * listeners), seedOf(seed + 1, number)).finally(() => {
      active.delete(work);
      progress?.({ ...done });
    });
    active.add(work);
  }
  await Promise.all(active);
  return { ...done };

  async function play(number: number, sessionSeed: number): Promise<void> {
    const listener = listenerAt(seed, number);
    try {
      const { shown, snapshot } = await askFlags(options, contextOf(listener));
      const events = session(listener, shown, options.effects, chance(sessionSeed), 0, snapshot);
      const results = await sendEvents(options, listener.id, sessionSeed, events, clock());
      done.sessions += 1;
      for (const result of results) {
        if (result === 'accepted') done.accepted += 1;
        else if (result === 'duplicate') done.duplicates += 1;
        else done.quarantined += 1;
      }
    } catch (error) {
      if (signal.aborted) return;
      done.failed += 1;
      done.lastFailure = error instanceof Error ? error.message : String(error);
      await pause(systemTime, RETRY_MS, signal);
    }
  }
}

/** The flags that a listener is shown: those that a rule, an experiment or a holdout decides by chance. */
async function askFlags(
  { connection, signal }: SimulationOptions,
  context: object,
): Promise<{ shown: readonly ShownFlag[]; snapshot: string }> {
  const answer = await post(connection, '/ofrep/v1/evaluate/flags', { context }, signal);
  const { flags = [], metadata = {} } = answer as {
    flags?: { key: string; variant?: string; reason?: string; metadata?: Record<string, string> }[];
    metadata?: { snapshot?: string };
  };
  const shown = flags.flatMap(({ key, variant, reason, metadata: about = {} }): ShownFlag[] => {
    if (variant === undefined || reason !== 'SPLIT') return [];
    const { rule = '', experiment = '', assignmentId = '', holdout = '', revision = '' } = about;
    return [{ flag: key, variant, reason, rule, experiment, assignmentId, holdout, specRevision: revision }];
  });
  return { shown, snapshot: metadata.snapshot ?? '' };
}

async function sendEvents(
  { connection, signal }: SimulationOptions,
  subject: string,
  sessionSeed: number,
  events: readonly AppEvent[],
  now: Temporal.Instant,
): Promise<readonly string[]> {
  // The session has just ended: what it did lies behind it.
  const shiftMs = now.epochMilliseconds - (events.at(-1)?.atMs ?? 0);
  const body = {
    sentAt: now.toString(),
    events: events.map(({ type, atMs, properties }, index) => ({
      type,
      // Says nothing of the listener: an id stays when a listener is erased.
      id: `${(sessionSeed >>> 0).toString(36)}-${shiftMs.toString(36)}-${index}`,
      at: new Date(atMs + shiftMs).toISOString(),
      subject,
      properties,
    })),
  };
  const answer = await post(connection, '/v1/events', body, signal);
  const { results } = answer as { results: { outcome: string }[] };
  return results.map(({ outcome }) => outcome);
}

async function post(connection: Connection, path: string, body: object, signal: AbortSignal): Promise<object> {
  const answer = await send(connection, 'POST', path, { body: JSON.stringify(body), signal });
  const text = await readText(answer);
  const parsed: unknown = text === '' ? {} : JSON.parse(text);
  if (answer.statusCode === 200 && isRecord(parsed)) return parsed;
  const detail = isRecord(parsed) ? (parsed['detail'] ?? parsed['errorDetails']) : undefined;
  throw new Error(`POST ${path}: ${answer.statusCode} ${typeof detail === 'string' ? detail : text.slice(0, 200)}`);
}
