import { balanceOf } from './bucket.ts';
import type { Counters } from './book.ts';
import type { Check, CheckAnswer } from './contract.ts';
import { deduct } from './deduct.ts';
import { retryAt, readUses } from './bucket-use.ts';

/** The answer that a consume would get now. */
export function answerCheck(book: Counters, check: Check): CheckAnswer {
  const uses = readUses(book, check, book.nowMs);
  const fits = deduct(uses, check.amount, 'whole') !== undefined;
  return {
    outcome: fits ? 'granted' : 'denied',
    balances: uses.map(balanceOf),
    ...(fits ? {} : retryAt(book, check, uses)),
    atMs: book.nowMs,
  };
}
