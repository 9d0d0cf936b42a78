import type { Clock } from '#kernel/base/clock.ts';
import { pause, systemTime } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { askFlags, askPrices, askToSkip, sendEvents } from './app.ts';
import { hearBreak } from './break.ts';
import { chance, seedOf } from './chance.ts';
import type { Effect } from './effect.ts';
import { contextOf, listenerAt } from './listener.ts';
import { session, skipsAskedFor, withoutSkips, type AppEvent } from './session.ts';
import { visit } from './shop.ts';

/** Sessions at once; more wait, so that a slow server is not buried. */
const CONCURRENCY_MAX = 32;
/** After a failure the next try waits this long. */
const RETRY_MS = 1_000;
/** After so many denials in one session a listener asks for no more skips. */
const DENIALS_MAX = 2;
/** The shop is looked at so much more often than the app is opened: a look costs little, and releases of prices need many. */
const VISITS_PER_SESSION = 4;

/** Each kind of doing has seeds of its own. */
const SEEDS = { luck: -1, shopLuck: -2, sessions: 1, visits: 2, breaks: 3 } as const;

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
  /** Looks at the shop; they go on beside the sessions. */
  readonly visits: number;
  /** Ads that were answered for the break of each session, and those that played. */
  readonly ads: number;
  readonly impressions: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Sessions and visits that could not be carried out, and why the last one could not. */
  readonly failed: number;
  readonly lastFailure: string | undefined;
}

const NOTHING_DONE: SimulationProgress = {
  sessions: 0,
  visits: 0,
  ads: 0,
  impressions: 0,
  accepted: 0,
  duplicates: 0,
  quarantined: 0,
  failed: 0,
  lastFailure: undefined,
};

/**
 * Plays the app for made-up listeners: asks for their flags as an OpenFeature client does, for prices, for skips and for the ads
 * of a break, and sends what they do as events. Goes on through failures. The same seed gives the same listeners, who do the same at the
 * same variants and prices.
 */
export async function simulateListeners(options: SimulationOptions): Promise<SimulationProgress> {
  const { seed, listeners, effects, clock, signal, progress } = options;
  const app = { connection: options.connection, signal };
  const ended = new AbortController();
  const done: { -readonly [Field in keyof SimulationProgress]: SimulationProgress[Field] } = { ...NOTHING_DONE };
  const { sessionsPerSecond: perSecond, sessions = Infinity } = options;
  const visitsPerSecond = perSecond * VISITS_PER_SESSION;
  const untilClosed = AbortSignal.any([signal, ended.signal]);
  const looking = pace({ perSecond: visitsPerSecond, count: Infinity, luckSeed: SEEDS.shopLuck }, look, untilClosed);
  await pace({ perSecond, count: sessions, luckSeed: SEEDS.luck }, play, signal);
  ended.abort();
  await looking;
  return { ...done };

  /** Does something of listeners, at moments that chance gives, until there were so many; what has begun is done. */
  async function pace(
    { perSecond, count, luckSeed }: { readonly perSecond: number; readonly count: number; readonly luckSeed: number },
    work: (listener: number, number: number) => Promise<void>,
    until: AbortSignal,
  ): Promise<void> {
    const luck = chance(seedOf(seed, luckSeed));
    const active = new Set<Promise<void>>();
    const beganMs = performance.now();
    let waitedMs = 0;
    for (let number = 0; !until.aborted && number < count; number += 1) {
      waitedMs += luck.exponential(1_000 / perSecond);
      const earlyMs = beganMs + waitedMs - performance.now();
      if (earlyMs > 0) await pause(systemTime, earlyMs, until);
      while (active.size >= CONCURRENCY_MAX) await Promise.race(active);
      if (until.aborted) break;
      const one = attempt(work(Math.floor(luck.next() * listeners), number)).finally(() => {
        active.delete(one);
        progress?.({ ...done });
      });
      active.add(one);
    }
    await Promise.all(active);
  }

  async function play(listenerNumber: number, number: number): Promise<void> {
    const listener = listenerAt(seed, listenerNumber);
    const sessionSeed = seedOf(seed + SEEDS.sessions, number);
    const { shown, snapshot } = await askFlags(app, contextOf(listener));
    const wanted = session(listener, { shown, snapshot }, effects, chance(sessionSeed));
    const denied = new Set<AppEvent>();
    for (const [index, skip] of skipsAskedFor(listener, wanted).entries()) {
      if (denied.size >= DENIALS_MAX) {
        denied.add(skip);
        continue;
      }
      const key = `skip-${(sessionSeed >>> 0).toString(36)}-${clock().epochMilliseconds.toString(36)}-${index}`;
      if (!(await askToSkip(app, listener, key))) denied.add(skip);
    }
    await send({ subject: listener.id, seed: sessionSeed, events: withoutSkips(wanted, denied) });
    const { ads, impressions } = await hearBreak(app, listener, chance(seedOf(seed + SEEDS.breaks, number)));
    done.ads += ads;
    done.impressions += impressions;
    done.sessions += 1;
  }

  async function look(listenerNumber: number, number: number): Promise<void> {
    const listener = listenerAt(seed, listenerNumber);
    const visitSeed = seedOf(seed + SEEDS.visits, number);
    const bought = visit(listener, await askPrices(app, listener), effects, chance(visitSeed));
    if (bought !== undefined) await send({ subject: listener.id, seed: visitSeed, events: [bought] });
    done.visits += 1;
  }

  async function attempt(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (signal.aborted) return;
      done.failed += 1;
      done.lastFailure = error instanceof Error ? error.message : String(error);
      await pause(systemTime, RETRY_MS, signal);
    }
  }

  async function send(events: Parameters<typeof sendEvents>[1]): Promise<void> {
    for (const result of await sendEvents(app, events, clock())) {
      if (result === 'accepted') done.accepted += 1;
      else if (result === 'duplicate') done.duplicates += 1;
      else done.quarantined += 1;
    }
  }
}
