import type { MarketSpec } from './market-spec.ts';
import { sameMoney, type Money } from '../rules/money.ts';
import { englishMoney } from '../rules/display-money.ts';
import type { PriceWindow } from '../rules/price-timeline.ts';
import { OPEN, timeInWords } from '../rules/times.ts';

/**
 * Describes the effect of a new or changed timeline from now on, in sentences that begin with `label`. Past
 * entries are left out.
 */
export function describeTimeline(
  label: string,
  { before, after }: { readonly before: readonly PriceWindow[]; readonly after: readonly PriceWindow[] },
  zone: string,
  now: number,
): readonly string[] {
  const sentences: string[] = [];
  const moments = [now, ...[...before, ...after].flatMap(({ from, until }) => [from, until])]
    .filter((moment) => moment >= now && moment < OPEN)
    .sort((a, b) => a - b)
    .filter((moment, index, all) => moment !== all[index - 1]);

  for (const [index, moment] of moments.entries()) {
    const was = priceAt(before, moment);
    const is = priceAt(after, moment);
    const earlier = moments[index - 1];
    const wasEarlier = earlier === undefined ? was : priceAt(before, earlier);
    const isEarlier = earlier === undefined ? was : priceAt(after, earlier);
    const planned = !sameMoney(wasEarlier, was);
    const happens = !sameMoney(isEarlier, is);
    if (sameMoney(was, is) || (!planned && !happens)) continue;

    const end = moments.slice(index + 1).find((later) => sameMoney(priceAt(before, later), priceAt(after, later)));
    const at = timeInWords(moment, zone);
    const from = moment === now ? 'from now on' : `from ${at}`;
    if (planned && happens) {
      sentences.push(`${label}: ${inWords(is)} instead of ${inWords(was)} from ${at}.`);
    } else if (planned) {
      const instead =
        end === undefined ? `is withdrawn; it stays ${inWords(is)}` : `comes on ${timeInWords(end, zone)}`;
      sentences.push(`${label}: the change to ${inWords(was)} planned for ${at} ${instead}.`);
    } else {
      const returns = end !== undefined && sameMoney(priceAt(after, end), isEarlier);
      const until = end === undefined ? '' : ` ${returns ? 'until' : 'instead of'} ${timeInWords(end, zone)}`;
      sentences.push(`${label}: ${inWords(isEarlier)} → ${inWords(is)} ${from}${until}.`);
    }
  }
  return sentences;
}

/**
 * The market's notice and consent rules where a timeline raises the price in force: the date of notice, and
 * whether subscribers must agree. Undefined where no rule applies or no price rises.
 */
export function describeNotice(
  { title, zone, notice, consent }: Pick<MarketSpec, 'title' | 'zone' | 'notice' | 'consent'>,
  before: readonly PriceWindow[],
  after: readonly PriceWindow[],
  now: number,
): string | undefined {
  const days = notice?.days ?? 0;
  const paid = priceAt(before, now);
  if (paid === undefined || (days === 0 && consent === 'none')) return undefined;
  const rise = after.find(({ from, until, money }) => {
    if (until <= now || money.currency !== paid.currency || money.minor <= paid.minor) return false;
    return !sameMoney(priceAt(before, Math.max(from, now)), money);
  });
  if (rise === undefined) return undefined;
  const noticeMs = Temporal.Instant.fromEpochMilliseconds(Math.max(rise.from, now))
    .toZonedDateTimeISO(zone)
    .subtract({ days }).epochMilliseconds;
  const asked = [
    ...(days === 0 ? [] : [`notified ${days} days ahead`]),
    ...(consent === 'none' ? [] : [consent === 'optIn' ? 'asked to agree' : 'free to object']),
  ].join(' and ');
  const when = days === 0 ? '' : noticeMs < now ? ', which is too late already' : `: by ${timeInWords(noticeMs, zone)}`;
  return `${title} requires subscribers to be ${asked} before a price increase${when}.`;
}

/** Each present or future price of a new timeline. */
export function describeNewTimeline(
  label: string,
  windows: readonly PriceWindow[],
  zone: string,
  now: number,
): readonly string[] {
  const ahead = windows.filter(({ until }) => until > now);
  if (ahead.length === 0) return [`${label}: a price history that ended.`];
  return ahead.map(({ money, from, until }) => {
    const start = from <= now ? 'now' : `from ${timeInWords(from, zone)}`;
    const end = until === OPEN ? '' : ` until ${timeInWords(until, zone)}`;
    return `${label}: ${englishMoney(money)} ${start}${end}.`;
  });
}

function priceAt(windows: readonly PriceWindow[], moment: number): Money | undefined {
  return windows.find(({ from, until }) => from <= moment && moment < until)?.money;
}

function inWords(money: Money | undefined): string {
  return money === undefined ? 'not for sale' : englishMoney(money);
}
