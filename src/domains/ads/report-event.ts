import { Refusal } from '#kernel/base/failures.ts';
import { RateLimiter, type Rate } from '#kernel/http/rate.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { Log } from '#kernel/base/log.ts';
import type { AdFacts } from './ad-facts.ts';
import { rewardMsOf } from './break-history.ts';
import { moneyOfAdSet } from './decisions/ad-sets.ts';
import type { AdsTable } from './decisions/table.ts';
import { exposureNumber } from './history/histories.ts';
import type { AdReport, ReportOutcome } from './records/deliveries.ts';
import type { CountedAs } from './records/event-metrics.ts';
import type { AdRecords } from './open-ad-records.ts';
import { adRefusal } from './refusals.ts';
import { AD_EVENTS, isAdEvent } from './rules/ad-events.ts';
import type { AdToken } from './serving/ad-token.ts';

/** Events of one break on this node: all that 20 ads can have at once, and what players repeat. */
const BREAK_RATE: Rate = { perSecond: 20, burst: 400 };

const SECOND_MS = 1_000;

/** An event as it is sent. */
export interface GivenEvent {
  readonly event: string;
  readonly token?: string | undefined;
  readonly code?: string | undefined;
}

interface ReportParts {
  readonly facts: AdFacts;
  readonly table: AdsTable;
  readonly now: Temporal.Instant;
  readonly signal?: AbortSignal;
}

/** An event that was accepted. */
interface AcceptedReport {
  readonly token: AdToken;
  readonly event: string;
  readonly outcome: Exclude<ReportOutcome, 'expired'>;
}

/** Counts one event, or throws a Refusal that says why it is not counted. */
export type ReportEvent = (given: GivenEvent, parts: ReportParts) => Promise<AcceptedReport>;

/** The way of an event: whose it is, how many come, whether the listener may hear ads at all, and once. */
export function eventReporter({ deliveries, histories, tokens, metrics, clock }: AdRecords, log: Log): ReportEvent {
  const limiter = new RateLimiter();
  return async (given, parts) => {
    try {
      const report = openReport(given, parts.table);
      if (!limiter.spend(report.token.decision, BREAK_RATE, parts.now.epochMilliseconds)) {
        throw adRefusal('events-too-fast', `The events of this break exceed ${BREAK_RATE.perSecond} a second.`, {
          retryAfterSeconds: 1,
        });
      }
      const outcome = await countAllowed(report, parts);
      metrics.countEvent(report.event, outcome);
      if (outcome === 'expired') throw expiredRefusal(report.token);
      return { token: report.token, event: report.event, outcome };
    } catch (error) {
      noteRefusal(given.event, error);
      throw error;
    }
  };

  function openReport({ event, token, code }: GivenEvent, table: AdsTable): AdReport {
    const opened = tokens.open(token ?? '');
    if (!isAdEvent(event)) {
      const near = didYouMean(nearSpellings(event, AD_EVENTS));
      throw adRefusal('unknown-event', `There is no event "${event.slice(0, 100)}"${near}.`, {
        remedy: `Send one of ${AD_EVENTS.join(', ')}.`,
      });
    }
    const known = moneyOfAdSet(table, opened.adSet);
    // An account that was declared again in another currency has no ledger for this price.
    const money = known?.currency === opened.currency ? known : undefined;
    return { token: opened, event, code: event === 'error' ? errorCode(code) : undefined, money };
  }

  async function countAllowed(report: AdReport, { facts, now, signal, table }: ReportParts): Promise<ReportOutcome> {
    const { token, event } = report;
    if (event !== 'impression') {
      if (event === 'complete') await requireUnskipped(report);
      const outcome = await deliveries.count(report, signal);
      const placement = table.placements.get(token.placement);
      if (event === 'complete' && placement !== undefined) await noteReward(report, rewardMsOf(placement));
      return outcome;
    }
    const isAdFree = await facts.hasFeature(token.subject, token.adFreeFeature, now);
    // Unknown is no, as when the break was asked for: nobody pays for an ad that may have been heard by a subscriber.
    if (isAdFree === false) {
      const outcome = await deliveries.count(report, signal);
      if (outcome !== 'expired') await confirmExposure(token);
      return outcome;
    }
    // One that was counted before the upgrade, and is repeated, is none after it.
    if ((await deliveries.countedMs(report)) !== undefined) return 'duplicate';
    if (isAdFree === undefined) {
      throw adRefusal('entitlement-unknown', `Whether the listener has ${token.adFreeFeature} is not known any more.`);
    }
    metrics.countAfterUpgrade();
    const { placement, adSet, decision } = token;
    log.warn({ placement, adSet, decision }, 'ad events: impression after an upgrade refused');
    throw adRefusal('listener-is-ad-free', `The listener has ${token.adFreeFeature} by now.`);
  }

  /** Who skips an ad has not heard it to its end, whatever the player says next: nobody pays for that. */
  async function requireUnskipped(report: AdReport): Promise<void> {
    if ((await deliveries.countedMs({ ...report, event: 'skip' })) === undefined) return;
    throw adRefusal('skipped', 'The listener has skipped this ad before its end.');
  }

  /**
   * The time without breaks begins when the completion counted first: a repeated one gives no more. The app says that the ad
   * has played, but no sooner after the answer than it can have.
   */
  async function noteReward(report: AdReport, rewardMs: number): Promise<void> {
    if (rewardMs === 0) return;
    const { subject, mayProfile, issuedMs, seconds } = report.token;
    const completedMs = await deliveries.countedMs(report);
    if (completedMs === undefined || completedMs < issuedMs + seconds * SECOND_MS) return;
    const { listener, session } = subject;
    await histories.reward(mayProfile ? { listener } : { session }, completedMs + rewardMs);
  }

  /**
   * Frequency caps count from the impression on. A repeated one is noted too: the first may have been counted by a node that
   * ended before it got here.
   */
  function confirmExposure({ decision, place, subject, mayProfile }: AdToken): Promise<void> {
    const { household, listener, device, session } = subject;
    const known = mayProfile ? { household, listener, device, session } : { session };
    return histories.confirm(known, exposureNumber(decision, place), clock().epochMilliseconds);
  }

  /** By reason, and without a word of whose it was. */
  function noteRefusal(event: string, error: unknown): void {
    if (!(error instanceof Refusal)) return;
    const outcome = COUNTED_AS[error.code];
    if (outcome === undefined) return;
    if (outcome !== 'expired') metrics.countEvent(isAdEvent(event) ? event : '', outcome);
    log.debug({ code: error.code }, 'ad events: refused');
  }
}

const COUNTED_AS: Readonly<Partial<Record<Refusal['code'], CountedAs>>> = {
  'ads/bad-token': 'badToken',
  'ads/token-expired': 'expired',
  'ads/unknown-event': 'unknownEvent',
  'ads/events-too-fast': 'tooFast',
  'ads/listener-is-ad-free': 'adFree',
  'ads/entitlement-unknown': 'entitlementUnknown',
};

function expiredRefusal({ expiresMs }: AdToken): Refusal {
  const end = Temporal.Instant.fromEpochMilliseconds(expiresMs).toString({ smallestUnit: 'second' });
  return adRefusal('token-expired', `The token expired at ${end}.`);
}

/** VAST has codes from 100 to 999. Players that know no macros send the macro itself. */
function errorCode(code: string | undefined): number | undefined {
  return code !== undefined && /^[1-9]\d\d$/.test(code) ? Number(code) : undefined;
}
