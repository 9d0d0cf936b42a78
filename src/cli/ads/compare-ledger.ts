/** A counter as /v1/ads/ledger answers it, with amounts as decimal texts. */
export interface LedgerCounter {
  readonly bucket: string;
  readonly window: string;
  readonly limit?: string;
  readonly used: string;
  readonly reserved: string;
  readonly charged: string;
  readonly unlogged: string;
}

/** The ledger before and after the event log was read, and what the events of each ad set charged in micro-units. */
export interface Readings {
  readonly before: readonly LedgerCounter[];
  readonly events: ReadonlyMap<string, bigint>;
  readonly after: readonly LedgerCounter[];
}

/**
 * `equal`: to the micro-unit. `moving`: it was charged meanwhile, and the events are between both readings. `differs`: no order of
 * what happened explains it.
 */
type Verdict = 'equal' | 'moving' | 'differs';

export interface Comparison {
  readonly owner: string;
  readonly used: string;
  readonly reserved: string;
  /** By the ledger. */
  readonly charged: string;
  /** By the other side: the events, or for an account the sum of its ad sets. */
  readonly proven: string;
  readonly verdict: Verdict;
  /** Ledger less the other side, where it differs. */
  readonly difference?: string;
}

const LIFETIME = / lifetime$/;

/**
 * Compares the ledger with the events of each ad set, and the account with the sum of its ad sets. What was charged only grows:
 * what is read in between lies between both readings, and is the same where those are.
 */
export function compareLedger({ before, events, after }: Readings): readonly Comparison[] {
  const [first, last] = [lifetimesOf(before), lifetimesOf(after)];
  const adSets = [...new Set([...adSetsOf(first), ...adSetsOf(last), ...events.keys()])].toSorted();
  const ofAdSets = adSets.map((name) => {
    const owner = `adset ${name}`;
    const [from, to] = [first.get(owner), last.get(owner)];
    const least = from === undefined ? 0n : microsOf(from.charged) - microsOf(from.unlogged);
    const most = to === undefined ? 0n : microsOf(to.charged);
    return compareOwner({ owner, counter: to, least, most, proven: events.get(name) ?? 0n });
  });
  // Settled money alone: of an account, what was charged in open slices is not known by itself.
  const ofAccounts = [...last].flatMap(([owner, counter]) => {
    if (!owner.startsWith('account ')) return [];
    const from = first.get(owner);
    const least = from === undefined ? 0n : settledOf(from);
    const proven = sum(adSetsOf(first).map((name) => settledOf(first.get(`adset ${name}`) as LedgerCounter)));
    return [compareOwner({ owner, counter, least, most: settledOf(counter), proven })];
  });
  return [...ofAccounts, ...ofAdSets];
}

function compareOwner(given: {
  readonly owner: string;
  readonly counter: LedgerCounter | undefined;
  readonly least: bigint;
  readonly most: bigint;
  readonly proven: bigint;
}): Comparison {
  const { owner, counter, least, most, proven } = given;
  const isWithin = least <= proven && proven <= most;
  const verdict: Verdict = !isWithin ? 'differs' : least === most ? 'equal' : 'moving';
  const difference = proven < least ? least - proven : most - proven;
  return {
    owner,
    used: counter?.used ?? '0.00',
    reserved: counter?.reserved ?? '0.00',
    charged: decimalOf(most),
    proven: decimalOf(proven),
    verdict,
    ...(verdict === 'differs' && { difference: decimalOf(difference) }),
  };
}

function lifetimesOf(counters: readonly LedgerCounter[]): ReadonlyMap<string, LedgerCounter> {
  const own = counters.filter(({ bucket }) => LIFETIME.test(bucket));
  return new Map(own.map((counter) => [counter.bucket.replace(LIFETIME, ''), counter]));
}

function adSetsOf(counters: ReadonlyMap<string, LedgerCounter>): readonly string[] {
  return [...counters.keys()]
    .filter((owner) => owner.startsWith('adset '))
    .map((owner) => owner.slice('adset '.length));
}

function settledOf({ used, reserved }: LedgerCounter): bigint {
  return microsOf(used) - microsOf(reserved);
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((all, value) => all + value, 0n);
}

/** Micro-units of a decimal text with at most six decimals. */
export function microsOf(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  const micros = BigInt(whole.replace('-', '') + fraction.padEnd(6, '0'));
  return decimal.startsWith('-') ? -micros : micros;
}

/** Micro-units as a decimal text, with two decimals at least. */
export function decimalOf(micros: bigint): string {
  const digits = String(micros < 0n ? -micros : micros).padStart(7, '0');
  return `${micros < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6).replace(/0{1,4}$/, '')}`;
}
