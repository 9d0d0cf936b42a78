import { chance, seedOf } from './chance.ts';

/** A made-up listener; everything follows from the seed and the number. */
export interface Listener {
  readonly id: string;
  readonly household: string;
  readonly market: string;
  readonly timeZone: string;
  readonly language: string;
  readonly plan: string;
  readonly platform: 'ios' | 'android' | 'web' | 'desktop';
  readonly appVersion: string;
  readonly ageBand: string;
  readonly genres: readonly string[];
  readonly signedUp: string;
  /** Times that the app is opened in a day, on average. */
  readonly sessionsPerDay: number;
  /** Tracks of one session, on average. */
  readonly playsPerSession: number;
  /** Part of the tracks that is skipped. */
  readonly skipRate: number;
}

interface Home {
  readonly market: string;
  readonly timeZone: string;
  readonly language: string;
}

const MARKETS: readonly (readonly [Home, number])[] = [
  [{ market: 'us', timeZone: 'America/New_York', language: 'en-US' }, 30],
  [{ market: 'br', timeZone: 'America/Sao_Paulo', language: 'pt-BR' }, 12],
  [{ market: 'in', timeZone: 'Asia/Kolkata', language: 'en-IN' }, 12],
  [{ market: 'de', timeZone: 'Europe/Berlin', language: 'de' }, 9],
  [{ market: 'gb', timeZone: 'Europe/London', language: 'en-GB' }, 9],
  [{ market: 'mx', timeZone: 'America/Mexico_City', language: 'es-MX' }, 8],
  [{ market: 'jp', timeZone: 'Asia/Tokyo', language: 'ja' }, 6],
  [{ market: 'se', timeZone: 'Europe/Stockholm', language: 'sv' }, 6],
  [{ market: 'no', timeZone: 'Europe/Oslo', language: 'nb' }, 3],
  [{ market: 'fi', timeZone: 'Europe/Helsinki', language: 'fi' }, 3],
  [{ market: 'dk', timeZone: 'Europe/Copenhagen', language: 'da' }, 2],
];
const PLANS: readonly (readonly [string, number])[] = [
  ['free', 55],
  ['premium', 24],
  ['family', 9],
  ['duo', 6],
  ['student', 6],
];
const PLATFORMS: readonly (readonly [Listener['platform'], number])[] = [
  ['android', 48],
  ['ios', 32],
  ['web', 11],
  ['desktop', 9],
];
const VERSIONS: readonly (readonly [string, number])[] = [
  ['8.9.2', 55],
  ['8.9.0', 20],
  ['8.8.4', 12],
  ['8.1.0', 6],
  ['7.12.3', 7],
];
const AGES: readonly (readonly [string, number])[] = [
  ['13-17', 8],
  ['18-24', 28],
  ['25-34', 30],
  ['35-44', 16],
  ['45-54', 10],
  ['55+', 8],
];
const GENRES: readonly (readonly [string, number])[] = [
  ['pop', 30],
  ['hip-hop', 18],
  ['rock', 16],
  ['indie', 10],
  ['electronic', 10],
  ['jazz', 5],
  ['classical', 4],
  ['metal', 4],
  ['folk', 3],
];
const GENRES_MAX = 3;
const HOUSEHOLD_SIZE = 3;
/** Accounts began in this stretch of time. */
const FIRST_SIGN_UP_MS = Date.UTC(2019, 0, 1);
const LAST_SIGN_UP_MS = Date.UTC(2026, 9, 1);

/** The listener with this number in the population of this seed. */
export function listenerAt(seed: number, number: number): Listener {
  const { next, pick, exponential } = chance(seedOf(seed, number));
  const { market, timeZone, language } = pick(MARKETS);
  const plan = pick(PLANS);
  const genres = new Set(Array.from({ length: 1 + Math.floor(next() * GENRES_MAX) }, () => pick(GENRES)));
  // A few play a lot: heavy tails are what makes the mean of plays hard to measure.
  const eagerness = 0.3 + exponential(0.9);
  return {
    id: `sim-${seed}-${number}`,
    household: `home-${seed}-${Math.floor(number / HOUSEHOLD_SIZE)}`,
    market,
    timeZone,
    language,
    plan,
    platform: pick(PLATFORMS),
    appVersion: pick(VERSIONS),
    ageBand: pick(AGES),
    genres: [...genres],
    signedUp: new Date(FIRST_SIGN_UP_MS + next() * (LAST_SIGN_UP_MS - FIRST_SIGN_UP_MS)).toISOString(),
    sessionsPerDay: eagerness * (plan === 'free' ? 2 : 3.5),
    playsPerSession: 3 + eagerness * (plan === 'free' ? 4 : 7),
    skipRate: Math.min(0.8, 0.08 + exponential(plan === 'free' ? 0.15 : 0.2)),
  };
}

/** The context that the app sends when it asks for flags. */
export function contextOf(listener: Listener): Record<string, unknown> {
  const { id, sessionsPerDay: _, playsPerSession: __, skipRate: ___, ...attributes } = listener;
  return { targetingKey: id, ...attributes };
}
