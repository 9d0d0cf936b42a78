import { balanceOf } from './bucket.ts';
import type { Counters } from './book.ts';
import type { Check, CheckAnswer } from './contract.ts';
import { deduct } from './deduct.ts';
import { retryAt, standingsOf } from './standing.ts';

/** What a consume would be answered now. */
export function checked(book: Counters, check: Check): CheckAnswer {
  const standings = standingsOf(book, check, book.nowMs);
  const fits = deduct(standings, check.amount, 'whole') !== undefined;
  return {
    outcome: fits ? 'granted' : 'denied',
    balances: standings.map(balanceOf),
    ...(fits ? {} : retryAt(book, check, standings)),
    atMs: book.nowMs,
  };
}
