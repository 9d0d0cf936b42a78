import { decideBreak, type BreakDecision, type BreakQuestion, type ServedAd } from './decisions/decide.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import { exposureNumber, type Histories, type HistorySubject, type KnownHistory } from './history/histories.ts';
import type { Money, Reservation } from './money/money.ts';
import { exposuresOf as exposuresOfOwner, withoutExposures, type NewExposure } from './rules/ad-history.ts';
import { BREAKS, loadWindowMs, mayBreak } from './rules/ad-load.ts';
import { capCheck, countedOwners } from './rules/cap-check.ts';
import type { CapScope, OwnerCaps } from './rules/frequency.ts';
import { TOKEN_LIMITS } from './serving/ad-token.ts';

const LIMITS = {
  /**
   * An ad set without room is left out, or the history read again, and the break decided anew, so many times at most. The last
   * time without any capped ad set: that always holds.
   */
  roundsMax: 6,
  /** An impression that is accepted in the last moment is written by then, and clocks of nodes may differ by as much. */
  marginMs: 10_000,
} as const;

/** An ad of a break, with the money that is set aside for it. */
export interface ReservedAd extends ServedAd {
  readonly reservation: Reservation;
}

/** Why a listener gets no break now: too many, or too soon; or it is unknown, as nobody is named or nothing is kept. */
export type LoadObstacle = 'adLoad' | 'adLoadUnknown';

export interface ReservedBreak extends BreakDecision {
  /** Nothing is served then. */
  readonly load?: LoadObstacle;
  readonly served: readonly ReservedAd[];
  /** In the order of the ads; none where nothing can be reported. */
  readonly tokens: readonly string[];
}

/** The sources of a served break, beside the snapshot. */
export interface ServingParts {
  readonly money: Money;
  readonly histories: Histories;
}

/** A decision that is served, and its listener. */
export interface ServedTo {
  /** Id of the decision. With the place of an ad it names an exposure. */
  readonly decision: string;
  readonly subject: HistorySubject;
  readonly issueTokens: (served: readonly ReservedAd[]) => readonly string[];
}

const NO_BREAK: ReservedBreak = { served: [], tokens: [], candidates: [], gap: 0 };

/**
 * Decides a break, reserves the money of its ads, seals their tokens and notes them in the listener's history, where they count
 * from now on. Money of a round that did not hold goes back.
 */
export async function serveBreak(
  table: AdsTable,
  question: BreakQuestion,
  { money, histories }: ServingParts,
  { decision: id, subject, issueTokens }: ServedTo,
): Promise<ReservedBreak> {
  const withoutRoom = new Set<CompiledAdSet>();
  let history = await histories.read(subject);
  for (let round = 1; ; round += 1) {
    const isLast = round === LIMITS.roundsMax;
    const load = loadObstacle(question, history);
    if (load !== undefined) return { ...NO_BREAK, load };
    const decision = decideBreak(table, {
      ...question,
      heldBack: heldBackBy({ ...question, heldBack: money.prepare }, isLast ? undefined : history, withoutRoom),
    });
    const { served, refused } = await reserve(money, decision.served);
    try {
      if (refused.length === 0 || isLast) {
        const tokens = issueTokens(served);
        const exposures = exposuresOf(served, history, { id, untilMs: question.nowMs + TOKEN_LIMITS.lifetimeMs });
        if (served.length > 0) addBreak(exposures, question, id);
        if (await histories.add(history, exposures, question.nowMs)) return { ...decision, served, tokens };
      }
    } catch (error) {
      for (const { reservation } of served) money.giveBack(reservation);
      throw error;
    }
    for (const { reservation } of served) money.giveBack(reservation);
    // Decisions that were first each gave a break: the listener has enough.
    if (isLast) return { ...NO_BREAK, load: 'adLoad' };
    for (const adSet of refused) withoutRoom.add(adSet);
    if (refused.length === 0) history = withoutDecision(await histories.read(subject), id, question.slots);
  }
}

/** Whether the load of the policy, and the breaks that the listener got, allow one now. */
export function loadObstacle(
  { placement, historyScope, nowMs }: BreakQuestion,
  { rows }: KnownHistory,
): LoadObstacle | undefined {
  const load = placement.policy?.load;
  if (load === undefined) return undefined;
  const history = rows.get(historyScope)?.history;
  if (history === undefined) return 'adLoadUnknown';
  const breaks = exposuresOfOwner(history, BREAKS).map(({ ms }) => ms);
  return mayBreak(load, breaks, nowMs) ? undefined : 'adLoad';
}

/** Notes the break as a whole: it counts from its answer on. */
function addBreak(exposures: Map<CapScope, NewExposure[]>, question: BreakQuestion, id: string): void {
  const { placement, historyScope, nowMs, slots } = question;
  const load = placement.policy?.load;
  if (load === undefined) return;
  const own = exposures.get(historyScope) ?? [];
  const number = exposureNumber(id, slots);
  own.push({ id: number, owners: [BREAKS], keepMs: loadWindowMs(load), untilMs: nowMs, hasPlayed: true });
  exposures.set(historyScope, own);
}

/** Holds ad sets back by the history of the listener, then by money. Without a history, every cap holds. */
export function heldBackBy(
  question: BreakQuestion,
  history: KnownHistory | undefined,
  withoutRoom: ReadonlySet<CompiledAdSet> = new Set(),
): BreakQuestion['heldBack'] {
  const obstacleOf = history === undefined ? everyCap : capCheck(history.rows, question.nowMs);
  return (adSet) => {
    if (withoutRoom.has(adSet)) return 'budget spent';
    return obstacleOf(adSet.caps) ?? question.heldBack(adSet);
  };
}

function everyCap(caps: readonly OwnerCaps[]): 'frequency cap' | undefined {
  return caps.length === 0 ? undefined : 'frequency cap';
}

async function reserve(
  money: Money,
  ads: readonly ServedAd[],
): Promise<{ readonly served: readonly ReservedAd[]; readonly refused: readonly CompiledAdSet[] }> {
  const reserved = await Promise.all(
    ads.map(async (ad) => ({ ad, reservation: await money.reserve(ad.adSet, ad.charge) })),
  );
  return {
    served: reserved.flatMap(({ ad, reservation }) => (reservation === undefined ? [] : [{ ...ad, reservation }])),
    refused: reserved.flatMap(({ ad, reservation }) => (reservation === undefined ? [ad.adSet] : [])),
  };
}

function exposuresOf(
  served: readonly ServedAd[],
  { rows }: KnownHistory,
  { id, untilMs }: { readonly id: string; readonly untilMs: number },
): Map<CapScope, NewExposure[]> {
  const exposures = new Map<CapScope, NewExposure[]>();
  for (const [place, { adSet }] of served.entries()) {
    if (adSet.caps.length === 0) continue;
    const number = exposureNumber(id, place);
    for (const [scope, { owners, keepMs }] of countedOwners(adSet.caps, rows)) {
      const own = exposures.get(scope) ?? [];
      own.push({ id: number, owners, keepMs, untilMs: untilMs + LIMITS.marginMs });
      exposures.set(scope, own);
    }
  }
  return exposures;
}

/** Without what a lost round of this decision wrote, of which only the answer was lost. */
function withoutDecision({ rows }: KnownHistory, id: string, slots: number): KnownHistory {
  const own = new Set(Array.from({ length: slots + 1 }, (_, place) => exposureNumber(id, place)));
  return {
    rows: new Map(
      Array.from(rows, ([scope, row]) => {
        const history = withoutExposures(row.history, own);
        return [scope, history === undefined ? row : { ...row, history, isCleaned: true }];
      }),
    ),
  };
}
