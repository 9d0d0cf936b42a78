import { remainingOf, type Balance } from '../bucket.ts';
import type { Recorded } from '../book.ts';
import type { Answer, Line } from '../contract.ts';

/*
 * Operations as the ledger keeps them: JSON without names, and without what follows from the rest, in one text. The ledger
 * is written with each operation, and half of what a commit costs goes by its bytes and its columns.
 */

type LineText = readonly [
  /** Empty: that of the operation. */
  subject: string,
  quota: string,
  bucket: string,
  window: string,
  amount: number,
  untilMs: number | null,
  atMs?: number | null,
  corrects?: string,
];

type BalanceText = readonly [
  bucket: string,
  window: string,
  limit: number | 'unlimited',
  used: number,
  resetsAtMs?: number,
];

type LedgerText = readonly [
  outcome: Answer['outcome'],
  asked: number,
  amount: number,
  receipt: readonly LineText[],
  balances: readonly BalanceText[],
  atMs: number,
  rest: Pick<Answer, 'deniedQuota' | 'retryAtMs' | 'expiresAtMs'> | null,
  kind: string,
  fingerprint: string,
];

type Entry = Pick<Recorded, 'subject' | 'kind' | 'fingerprint' | 'answer'>;

/** Begins with the outcome. */
export function ledgerText({ subject, kind, fingerprint, answer }: Entry): string {
  const { outcome, asked, amount, receipt, balances, atMs, deniedQuota, retryAtMs, expiresAtMs } = answer;
  const lines = receipt.map((line): LineText => {
    const { quota, bucket, window, untilMs = null } = line;
    const own = line.subject === subject ? '' : line.subject;
    if (line.corrects !== undefined) {
      return [own, quota, bucket, window, line.amount, untilMs, line.atMs ?? null, line.corrects];
    }
    return line.atMs === undefined
      ? [own, quota, bucket, window, line.amount, untilMs]
      : [own, quota, bucket, window, line.amount, untilMs, line.atMs];
  });
  const standing = balances.map(({ bucket, window, limit, used, resetsAtMs }): BalanceText =>
    resetsAtMs === undefined ? [bucket, window, limit, used] : [bucket, window, limit, used, resetsAtMs],
  );
  const isPlain = deniedQuota === undefined && retryAtMs === undefined && expiresAtMs === undefined;
  const rest = isPlain ? null : definedOf({ deniedQuota, retryAtMs, expiresAtMs });
  const text: LedgerText = [outcome, asked, amount, lines, standing, atMs, rest, kind, fingerprint];
  return JSON.stringify(text);
}

export function parseLedgerText(
  operationSubject: string,
  text: string,
): Pick<Recorded, 'kind' | 'fingerprint' | 'answer'> {
  const [outcome, asked, amount, lines, balances, atMs, rest, kind, fingerprint] = JSON.parse(text) as LedgerText;
  const answer: Answer = {
    outcome,
    asked,
    amount,
    receipt: lines.map(([subject, quota, bucket, window, units, untilMs, usedAtMs, corrects]): Line => ({
      subject: subject === '' ? operationSubject : subject,
      quota,
      bucket,
      window,
      amount: units,
      ...definedOf({ untilMs: untilMs ?? undefined, atMs: usedAtMs ?? undefined, corrects }),
    })),
    balances: balances.map(([bucket, window, limit, used, resetsAtMs]): Balance => ({
      bucket,
      window,
      limit,
      used,
      remaining: limit === 'unlimited' ? limit : remainingOf({ bucket: { limit }, used }),
      overLimit: limit !== 'unlimited' && used > limit,
      ...definedOf({ resetsAtMs }),
    })),
    atMs,
    ...rest,
    replayed: false,
  };
  return { kind, fingerprint, answer };
}

type Defined<Value> = { [Key in keyof Value]?: Exclude<Value[Key], undefined> };

function definedOf<Value extends object>(value: Value): Defined<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<Value>;
}
