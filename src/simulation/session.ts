import type { Chance } from './chance.ts';
import { factorOf, type Effect } from './effect.ts';
import type { Listener } from './listener.ts';

/** The answer that the app got for a flag. */
export interface ShownFlag {
  readonly flag: string;
  readonly variant: string;
  readonly reason: string;
  readonly rule: string;
  readonly experiment: string;
  readonly assignmentId: string;
  readonly holdout: string;
  readonly specRevision: string;
}

/** An event of the app, before it is sent. */
export interface AppEvent {
  readonly type: string;
  readonly atMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

const TRACKS = 100_000;
const TRACK_SECONDS_MEAN = 200;
const SKIP_SECONDS_MEAN = 25;
/** Part of the sessions without a paid plan that end in one. */
const SUBSCRIBE_RATE = 0.01;

/** The flags that the app asks for when it is opened. */
interface Screen {
  readonly shown: readonly ShownFlag[];
  /** Version of the snapshot that the flags were answered from. */
  readonly snapshot: string;
  readonly startMs?: number;
}

/**
 * One session of a listener: the app is opened, shows what its flags say, and some tracks are played. Pure: everything
 * follows from the arguments. `shown` are the flags that the app uses; only these are exposures.
 */
export function session(
  listener: Listener,
  { shown, snapshot, startMs = 0 }: Screen,
  effects: readonly Effect[],
  luck: Chance,
): readonly AppEvent[] {
  const { plan, market, platform, appVersion } = listener;
  const factor = (on: Effect['on']): number => factorOf(effects, on, { shown });
  const events: AppEvent[] = [
    { type: 'session', atMs: startMs, properties: { platform, appVersion, plan, market } },
    ...shown.map((flag) => ({ type: 'exposure', atMs: startMs, properties: { ...flag, snapshot } })),
  ];
  const plays = luck.geometric(listener.playsPerSession * factor('plays'));
  const skipRate = Math.min(1, listener.skipRate * factor('skips'));
  let atMs = startMs;
  for (let played = 0; played < plays; played += 1) {
    const skipped = luck.yes(skipRate);
    const seconds = Number(luck.exponential(skipped ? SKIP_SECONDS_MEAN : TRACK_SECONDS_MEAN).toFixed(1));
    const genre = listener.genres[Math.floor(luck.next() * listener.genres.length)] ?? 'pop';
    const track = `track-${Math.floor(luck.next() ** 3 * TRACKS)}`;
    atMs += seconds * 1_000;
    events.push({
      type: 'play',
      atMs,
      properties: { track, genre, seconds: Math.min(seconds, 86_400), skipped, plan, market, platform },
    });
  }
  if (plan === 'free' && luck.yes(SUBSCRIBE_RATE * factor('subscriptions'))) {
    events.push({ type: 'subscribe', atMs, properties: { plan: 'premium', fromPlan: plan, market } });
  }
  return events;
}

/** The plan whose listeners may skip only so often. */
const COUNTED_PLAN = 'free';

/** Which of the events are skips that the listener has to ask for. */
export function skipsAskedFor({ plan }: Listener, events: readonly AppEvent[]): readonly AppEvent[] {
  return plan === COUNTED_PLAN
    ? events.filter(({ type, properties }) => type === 'play' && properties['skipped'] === true)
    : [];
}

/** The same without the skips that were denied: these tracks play on. */
export function withoutSkips(events: readonly AppEvent[], denied: ReadonlySet<AppEvent>): readonly AppEvent[] {
  return events.map((event) =>
    denied.has(event) ? { ...event, properties: { ...event.properties, skipped: false } } : event,
  );
}
