import { decideBreak, type BreakDecision, type BreakQuestion, type ServedAd } from './decisions/decide.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import type { Money, Reservation } from './money/money.ts';

/** An ad set without room is left out and the break decided anew, so many times at most. */
const ROUNDS_MAX = 4;

/** An ad of a break, with the money that is set aside for it. */
interface ReservedAd extends ServedAd {
  readonly reservation: Reservation;
}

export interface ReservedBreak extends BreakDecision {
  readonly served: readonly ReservedAd[];
}

/** Decides a break and reserves the money of its ads. Money of a round that did not hold goes back. */
export async function serveBreak(table: AdsTable, question: BreakQuestion, money: Money): Promise<ReservedBreak> {
  const withoutRoom = new Set<CompiledAdSet>();
  const heldBack: BreakQuestion['heldBack'] = (adSet) =>
    withoutRoom.has(adSet) ? 'budget spent' : question.heldBack(adSet);
  for (let round = 1; ; round += 1) {
    const decision = decideBreak(table, { ...question, heldBack });
    const reserved = await Promise.all(
      decision.served.map(async (ad) => ({ ad, reservation: await money.reserve(ad.adSet, ad.charge) })),
    );
    const served = reserved.flatMap(({ ad, reservation }) =>
      reservation === undefined ? [] : [{ ...ad, reservation }],
    );
    if (served.length === reserved.length || round === ROUNDS_MAX) return { ...decision, served };
    for (const { reservation } of served) money.giveBack(reservation);
    for (const { ad, reservation } of reserved) if (reservation === undefined) withoutRoom.add(ad.adSet);
  }
}
