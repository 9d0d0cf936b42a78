import type { Time } from '#kernel/base/time.ts';
import {
  exposuresOfBreak,
  heldBackBy,
  loadObstacle,
  readHistory,
  withoutDecision,
  type LoadObstacle,
} from './break-history.ts';
import { BreakWait } from './break-wait.ts';
import { decideQuickly, type BreakDecision, type BreakQuestion, type ServedAd } from './decisions/decide.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import type { Histories, HistorySubject, KnownHistory } from './history/histories.ts';
import type { Money, Reservation } from './money/money.ts';

/**
 * An ad set without room is left out, or the history read again, and the break decided anew, so many times at most. The last
 * time without any capped ad set: that always holds.
 */
const ROUNDS_MAX = 6;

/** An ad of a break, with the money that is set aside for it. */
export interface ReservedAd extends ServedAd {
  readonly reservation: Reservation;
}

export interface ReservedBreak extends BreakDecision {
  /** Nothing is served then. */
  readonly load?: LoadObstacle;
  readonly served: readonly ReservedAd[];
  /** Of the listener, as it was when the break was asked for; undefined: unknown. */
  readonly history: KnownHistory | undefined;
  /** In the order of the ads; none where nothing can be reported. */
  readonly tokens: readonly string[];
}

/** The sources of a served break, beside the snapshot. */
export interface ServingParts {
  readonly money: Money;
  readonly histories: Histories;
  /** In which a break waits for the database. */
  readonly time: Time;
}

/** A decision that is served, and its listener. */
export interface ServedTo {
  /** Id of the decision. With the place of an ad it names an exposure. */
  readonly decision: string;
  readonly subject: HistorySubject;
  readonly issueTokens: (served: readonly ReservedAd[]) => readonly string[];
}

const NO_BREAK: Omit<ReservedBreak, 'history'> = { served: [], tokens: [], candidates: [], gap: 0 };

/**
 * Decides a break, reserves the money of its ads, seals their tokens and notes them in the listener's history, where they count
 * from now on. Money of a round that did not hold goes back. Where the database does not answer in time, the break goes on without
 * what needs it.
 */
export async function serveBreak(
  table: AdsTable,
  question: BreakQuestion,
  parts: ServingParts,
  servedTo: ServedTo,
): Promise<ReservedBreak> {
  using wait = new BreakWait(parts.time);
  return await serveInRounds(table, question, { ...parts, wait }, servedTo);
}

async function serveInRounds(
  table: AdsTable,
  question: BreakQuestion,
  { money, histories, wait }: ServingParts & { readonly wait: BreakWait },
  { decision: id, subject, issueTokens }: ServedTo,
): Promise<ReservedBreak> {
  const withoutRoom = new Set<string>();
  const read = () => readHistory(table, question, { histories, wait, subject });
  const first = await read();
  let history = first;
  for (let round = 1; ; round += 1) {
    const isLast = round >= ROUNDS_MAX;
    const load = loadObstacle(question, history);
    if (load !== undefined) {
      // Also a question that gets no break goes on with a session.
      const isNoted = history === undefined ? undefined : await note(history, []);
      if (isNoted !== false || isLast) return { ...NO_BREAK, history: first, load };
      history = await readAnew();
      continue;
    }
    const decision = decideQuickly(table, {
      ...question,
      heldBack: heldBackBy({ ...question, heldBack: money.prepare }, isLast ? undefined : history, withoutRoom),
    });
    const { served, refused } = await reserve(money, decision.served, wait);
    try {
      if (refused.length === 0 || isLast) {
        const tokens = issueTokens(served);
        const isNoted = history === undefined ? true : await note(history, served);
        // Without a load the last round has nothing to note.
        const mayStay = isLast && question.placement.policy?.load === undefined;
        if (isNoted === true || mayStay) return { ...decision, history: first, served, tokens };
        if (isNoted === undefined) history = undefined;
      }
    } catch (error) {
      for (const { reservation } of served) money.giveBack(reservation);
      throw error;
    }
    for (const { reservation } of served) money.giveBack(reservation);
    // Decisions that were first each gave a break: the listener has enough.
    if (isLast) return { ...NO_BREAK, history: first, load: history === undefined ? 'adLoadUnknown' : 'adLoad' };
    for (const adSet of refused) withoutRoom.add(adSet.name);
    if (refused.length > 0 || history === undefined) continue;
    history = await readAnew();
  }

  async function readAnew(): Promise<KnownHistory | undefined> {
    const anew = await read();
    return anew && withoutDecision(anew, id, question.slots);
  }

  async function note(known: KnownHistory, served: readonly ServedAd[]): Promise<boolean | undefined> {
    // Nobody whose exposures could be counted.
    if (known.rows.size === 0) return true;
    const exposures = exposuresOfBreak(question, id, served, known);
    return wait.ask((signal) => histories.add(known, exposures, question.nowMs, signal));
  }
}

async function reserve(
  money: Money,
  ads: readonly ServedAd[],
  wait: BreakWait,
): Promise<{ readonly served: readonly ReservedAd[]; readonly refused: readonly CompiledAdSet[] }> {
  const reserved = await Promise.all(
    ads.map(async (ad) => ({ ad, reservation: await money.reserve(ad.adSet, ad.charge, wait.begin) })),
  );
  return {
    served: reserved.flatMap(({ ad, reservation }) => (reservation === undefined ? [] : [{ ...ad, reservation }])),
    refused: reserved.flatMap(({ ad, reservation }) => (reservation === undefined ? [ad.adSet] : [])),
  };
}
