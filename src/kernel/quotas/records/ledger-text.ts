import { remainingOf, type Balance } from '../rules/bucket.ts';
import type { OperationRecord } from '../rules/book.ts';
import type { Answer, Line } from '../rules/contract.ts';
import { plainFingerprint } from '../rules/operation.ts';

/*
 * The ledger text of an operation: JSON without names and without derivable values. Every operation writes one, and
 * bytes and columns cause half of the cost of a commit.
 */

type LineText = readonly [
  /** Empty: the subject of the operation. */
  subject: string,
  quota: string,
  bucket: string,
  window: string,
  amount: number,
  untilMs: number | null,
  atMs?: number | null,
  corrects?: string,
];

type BalanceText =
  /** The bucket, window and end of that line. */
  | readonly [line: number, limit: number | 'unlimited', used: number]
  | readonly [bucket: string, window: string, limit: number | 'unlimited', used: number, resetsAtMs?: number];

type LedgerText = readonly [
  outcome: Answer['outcome'],
  asked: number,
  amount: number,
  receipt: readonly LineText[],
  balances: readonly BalanceText[],
  atMs: number,
  rest: Pick<Answer, 'deniedQuota' | 'retryAtMs' | 'expiresAtMs'> | null,
  kind: string,
  /** Null: the fingerprint of a plain charge of the first line. */
  fingerprint: string | null,
];

type Entry = Pick<OperationRecord, 'subject' | 'kind' | 'fingerprint' | 'answer'>;

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
  const shortBalances = balances.map(({ bucket, window, limit, used, resetsAtMs }): BalanceText => {
    const own = receipt.findIndex((line) => {
      return line.bucket === bucket && line.window === window && line.untilMs === resetsAtMs;
    });
    if (own !== -1) return [own, limit, used];
    return resetsAtMs === undefined ? [bucket, window, limit, used] : [bucket, window, limit, used, resetsAtMs];
  });
  const isPlain = deniedQuota === undefined && retryAtMs === undefined && expiresAtMs === undefined;
  const rest = isPlain ? null : omitUndefined({ deniedQuota, retryAtMs, expiresAtMs });
  const ownFingerprint = fingerprint === plainOf(receipt, asked) ? null : fingerprint;
  const text: LedgerText = [outcome, asked, amount, lines, shortBalances, atMs, rest, kind, ownFingerprint];
  return JSON.stringify(text);
}

export function parseLedgerText(
  operationSubject: string,
  text: string,
): Pick<OperationRecord, 'kind' | 'fingerprint' | 'answer'> {
  const [outcome, asked, amount, lines, balances, atMs, rest, kind, ownFingerprint] = JSON.parse(text) as LedgerText;
  const receipt = lines.map(([subject, quota, bucket, window, units, untilMs, usedAtMs, corrects]): Line => ({
    subject: subject === '' ? operationSubject : subject,
    quota,
    bucket,
    window,
    amount: units,
    ...omitUndefined({ untilMs: untilMs ?? undefined, atMs: usedAtMs ?? undefined, corrects }),
  }));
  const answer: Answer = {
    outcome,
    asked,
    amount,
    receipt,
    balances: balances.map((balance) => balanceIn(balance, receipt)),
    atMs,
    ...rest,
    replayed: false,
  };
  const fingerprint = ownFingerprint ?? plainOf(receipt, asked);
  if (fingerprint === undefined) throw new Error('a ledger operation has no fingerprint');
  return { kind, fingerprint, answer };
}

function plainOf([first]: readonly Line[], asked: number): string | undefined {
  return first === undefined ? undefined : plainFingerprint(first.quota, asked);
}

function balanceIn(text: BalanceText, receipt: readonly Line[]): Balance {
  if (typeof text[0] !== 'number') {
    const [bucket, window, limit, used, resetsAtMs] = text as Extract<BalanceText, readonly [string, ...unknown[]]>;
    return balanceWith({ bucket, window, limit, used }, resetsAtMs);
  }
  const [of, limit, used] = text as Extract<BalanceText, readonly [number, ...unknown[]]>;
  const line = receipt[of];
  if (line === undefined) throw new Error('a ledger balance names a line that does not exist');
  return balanceWith({ bucket: line.bucket, window: line.window, limit, used }, line.untilMs);
}

function balanceWith(
  { bucket, window, limit, used }: Pick<Balance, 'bucket' | 'window' | 'limit' | 'used'>,
  resetsAtMs: number | undefined,
): Balance {
  return {
    bucket,
    window,
    limit,
    used,
    remaining: limit === 'unlimited' ? limit : remainingOf({ bucket: { limit }, used }),
    overLimit: limit !== 'unlimited' && used > limit,
    ...omitUndefined({ resetsAtMs }),
  };
}

type DefinedFields<Value> = { [Key in keyof Value]?: Exclude<Value[Key], undefined> };

function omitUndefined<Value extends object>(value: Value): DefinedFields<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as DefinedFields<Value>;
}
