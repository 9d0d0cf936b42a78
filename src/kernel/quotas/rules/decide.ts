import type { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import { balanceOf, spanOf, type Bucket } from './bucket.ts';
import {
  idOf,
  idOfCounter,
  usedIn,
  writeCounter,
  writeHold,
  writeOperation,
  type Book,
  type Counter,
  type Hold,
} from './book.ts';
import { quotasOf, type Answer, type Line } from './contract.ts';
import { fingerprintOf, subjectsOf, type Charge, type Item, type Operation } from './operation.ts';
import { usedAfterChange } from './plan-change.ts';
import { refreshUses, lengthMs, retryAt, readUses, type CounterUse } from './bucket-use.ts';
import { add, returnTo, take } from './units.ts';

/** Earlier times of clients are moved here: older use was corrected by hand, or its clock is wrong. */
const USED_AGO_MS_MAX = 35 * 86_400_000;

const NONE: readonly number[] = [];

type Of<Kind extends Operation['kind']> = Extract<Operation, { readonly kind: Kind }>;

/**
 * Decides one operation and writes its changes into the book. Throws a Refusal for an invalid request; then the book is
 * unchanged. A repetition under the same key gets the first answer.
 */
export function decide(book: Book, operation: Operation): Answer {
  const { subject, key, kind } = operation;
  const fingerprint = fingerprintOf(operation);
  const id = idOf(subject, key);
  const before = book.operations.get(id);
  if (before !== undefined) {
    if (before.fingerprint === fingerprint) return { ...before.answer, replayed: true };
    throw httpRefusal(
      'key-reused',
      `The key "${key}" already named another request of "${subject}" (${before.kind}, ${before.answer.asked} units).`,
    );
  }
  if (book.holds.size > 0) for (const one of subjectsOf(operation)) settleExpired(book, one);
  const answer = decideNew(book, operation);
  const isReserve = kind === 'charge' && operation.hold !== undefined;
  writeOperation(book, id, { subject, key, kind: isReserve ? 'reserve' : kind, fingerprint, answer, returned: NONE });
  return answer;
}

function decideNew(book: Book, operation: Operation): Answer {
  switch (operation.kind) {
    case 'charge':
      return charge(book, operation);
    case 'extend':
      return extend(book, operation);
    case 'commit':
      return commit(book, operation);
    case 'trim':
      return trim(book, operation);
    case 'release':
      return release(book, operation);
    case 'refund':
      return refund(book, operation);
    case 'carry':
      return carry(book, operation);
  }
}

/** Expired reservations of the subject give their units back, each once: then they are no longer held. */
export function settleExpired(book: Book, subject: string): void {
  for (const hold of book.holds.values()) {
    if (hold.subject !== subject || hold.state !== 'held' || hold.kind === 'slice') continue;
    if (hold.expiresAtMs > book.nowMs) continue;
    returnTo(book, hold.lines, { amount: sumUnits(hold.lines), buckets: undefined });
    writeHold(book, { ...hold, state: 'expired', settledAtMs: hold.expiresAtMs });
  }
}

function charge(book: Book, operation: Charge): Answer {
  const { subject, key, manner, hold } = operation;
  const { nowMs } = book;
  const usedAtMs = operation.countsAtMs ?? operation.usedAtMs;
  const atMs = Math.min(nowMs, Math.max(usedAtMs ?? nowMs, nowMs - USED_AGO_MS_MAX));
  const asked = operation.items.reduce((sum, { amount }) => sum + amount, 0);
  if (operation.isFree === true) return plainAnswer(book, 'granted', { asked, amount: 0, receipt: [] });
  const items = manner === 'partial' ? levelAmounts(book, operation.items, atMs) : operation.items;
  const taken = items.length === 1 ? undefined : new Map<string, number>();
  const receipt: Line[] = [];
  const allUses: CounterUse[] = [];
  for (const item of items) {
    const uses = readUses(book, item, atMs, taken);
    if (operation.isOfOldPlan !== true) requireCurrentBucket(book, subject, uses);
    allUses.push(...uses);
    const lines = take(item, uses, { atMs, manner, taken });
    if (lines === undefined) {
      return {
        outcome: 'denied',
        asked,
        amount: 0,
        receipt: [],
        balances: items.flatMap((one) => readUses(book, one, atMs).map(balanceOf)),
        atMs: nowMs,
        deniedQuota: item.quota,
        ...retryAt(book, item, uses),
        replayed: false,
      };
    }
    receipt.push(...lines);
  }
  for (const line of receipt) add(book, line);
  const amount = sumUnits(receipt);
  const [first] = items;
  let expiresAtMs: number | undefined;
  if (hold !== undefined && first !== undefined) {
    const { kind, owner } = hold;
    expiresAtMs = 'ttlMs' in hold ? nowMs + hold.ttlMs : hold.untilMs;
    const { quota } = first;
    // The same amount for each quota.
    const each = amount / items.length;
    writeHold(book, {
      subject,
      key,
      quota,
      kind,
      owner,
      state: 'held',
      amount: each,
      lines: receipt,
      expiresAtMs,
      settledAtMs: undefined,
    });
  }
  return {
    outcome: 'granted',
    asked,
    amount,
    receipt,
    balances: refreshUses(book, allUses).map(balanceOf),
    atMs: nowMs,
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    replayed: false,
  };
}

/** Refuses charges of a bucket whose use has moved on: their caller does not know the plan change yet. */
function requireCurrentBucket(book: Book, subject: string, uses: readonly CounterUse[]): void {
  const gone = uses.find(({ id }) => book.counters.get(id)?.moved !== undefined);
  if (gone === undefined) return;
  throw quotaRefusal('moved', `Use of "${subject}" is no longer taken from "${gone.bucket.id}": its plan has changed.`);
}

/** Refuses an operation that names another quota than the one it was counted as. */
function requireQuota(of: string, named: string | undefined, quotas: readonly string[]): void {
  if (named === undefined || quotas.length === 0 || quotas.includes(named)) return;
  throw quotaRefusal('other-quota', `"${of}" was counted as ${quotas.join(', ')}, not as ${named}.`);
}

/** The reservation that an operation refers to, if it is still held. */
function requireHeld(book: Book, subject: string, key: string, quota?: string): Hold {
  const hold = book.holds.get(idOf(subject, key));
  if (hold !== undefined) requireQuota(key, quota, [hold.quota]);
  if (hold === undefined) {
    throw quotaRefusal('no-reservation', `"${subject}" has no reservation "${key}".`);
  }
  if (hold.state === 'held') return hold;
  const when = Temporal.Instant.fromEpochMilliseconds(hold.settledAtMs ?? 0).toString();
  throw quotaRefusal(
    'reservation-settled',
    `The reservation "${key}" of "${subject}" (${hold.amount} units) was ${hold.state} at ${when}.`,
    {
      remedy:
        hold.state === 'expired'
          ? 'Its units went back; consume the used units instead, and extend reservations in time.'
          : 'Retry a commit or release only under its own key.',
    },
  );
}

/** Reduces every item to the amount that the tightest limit allows. */
function levelAmounts(book: Book, items: readonly Item[], atMs: number): readonly Item[] {
  if (items.length === 1) return items;
  const rooms = items.map((item) =>
    sumUnits(take(item, readUses(book, item, atMs), { atMs, manner: 'partial' }) ?? []),
  );
  const least = Math.min(...rooms);
  return least === 0 ? items : items.map((item) => ({ ...item, amount: Math.min(item.amount, least) }));
}

function extend(book: Book, { subject, of, ttlMs, quota }: Of<'extend'>): Answer {
  const hold = requireHeld(book, subject, of, quota);
  const expiresAtMs = book.nowMs + ttlMs;
  writeHold(book, { ...hold, expiresAtMs });
  const { amount, lines } = hold;
  return { ...plainAnswer(book, 'extended', { asked: amount, amount, receipt: lines }), expiresAtMs };
}

function commit(book: Book, { subject, of, quota, amount, over, buckets, late, ended }: Of<'commit'>): Answer {
  const found = book.holds.get(idOf(subject, of));
  const hold =
    late === true && found?.state === 'expired'
      ? { ...found, amount: 0, lines: [] }
      : requireHeld(book, subject, of, quota);
  if (ended === true && hold.expiresAtMs > book.nowMs) throw outstandingRefusal(hold, book.nowMs);
  const beyond = Math.max(0, amount - hold.amount);
  let extra: readonly Line[] = [];
  if (beyond > 0) {
    if (over === 'refuse') {
      throw quotaRefusal(
        'commit-above-reserved',
        `${amount} units were used of the reservation "${of}", which has ${hold.amount}.`,
      );
    }
    const item = { subject, quota: hold.quota, buckets: buckets ?? [], amount: beyond };
    const uses = readUses(book, item, book.nowMs);
    const lines = take(item, uses, { atMs: book.nowMs, manner: over === 'record' ? 'record' : 'whole' });
    // Without a bucket, use is recorded where it was reserved.
    extra =
      lines ?? (over === 'record' ? (found?.lines.slice(-1).map((line) => ({ ...line, amount: beyond })) ?? []) : []);
    if (extra.length === 0) {
      const denied = plainAnswer(book, 'denied', { asked: amount, amount: 0, receipt: [] });
      return {
        ...denied,
        balances: uses.map(balanceOf),
        deniedQuota: hold.quota,
        ...retryAt(book, item, uses),
      };
    }
  }
  const back = returnOfEach(book, hold.lines, Math.max(0, hold.amount - amount), buckets);
  for (const line of extra) add(book, line);
  writeHold(book, { ...(found ?? hold), state: 'committed', settledAtMs: book.nowMs });
  const kept = linesWithout(hold.lines, back);
  const answer = plainAnswer(book, 'granted', { asked: amount, amount, receipt: [...kept, ...extra] });
  return buckets === undefined
    ? answer
    : { ...answer, balances: readUses(book, { subject, buckets }, book.nowMs).map(balanceOf) };
}

function trim(book: Book, { subject, of, quota, amount }: Of<'trim'>): Answer {
  const hold = requireHeld(book, subject, of, quota);
  if (amount > hold.amount) {
    throw quotaRefusal(
      'commit-above-reserved',
      `The reservation "${of}" has ${hold.amount} units: it cannot keep ${amount}.`,
    );
  }
  const back = returnOfEach(book, hold.lines, hold.amount - amount, undefined);
  const lines = linesWithout(hold.lines, back);
  const end = amount === 0 ? ({ state: 'released', settledAtMs: book.nowMs } as const) : {};
  writeHold(book, { ...hold, amount, lines, ...end });
  return answerReturn(
    book,
    hold.amount - amount,
    hold.lines.flatMap((line, index) => partOf(line, back[index] ?? 0)),
  );
}

function linesWithout(lines: readonly Line[], back: readonly number[]): readonly Line[] {
  return lines.flatMap((line, index) => partOf(line, line.amount - (back[index] ?? 0)));
}

function partOf(line: Line, amount: number): readonly Line[] {
  return amount === 0 ? [] : [{ ...line, amount }];
}

/** Gives back so many units of each quota: a budget was charged in all of its limits. */
function returnOfEach(
  book: Book,
  lines: readonly Line[],
  amount: number,
  buckets: readonly Bucket[] | undefined,
): readonly number[] {
  const back = lines.map(() => 0);
  for (const quota of new Set(lines.map((line) => line.quota))) {
    const own = [...lines.keys()].filter((index) => lines[index]?.quota === quota);
    const returned = returnTo(
      book,
      lines.filter((line) => line.quota === quota),
      { amount, buckets },
    ).back;
    for (const [place, index] of own.entries()) back[index] = returned[place] ?? 0;
  }
  return back;
}

function outstandingRefusal({ key, owner, expiresAtMs }: Hold, nowMs: number): Refusal {
  return quotaRefusal('slice-outstanding', `Units of the slice "${key}" of the node "${owner}" may still be settled.`, {
    retryAfterSeconds: Math.ceil((expiresAtMs - nowMs) / 1_000),
  });
}

function release(book: Book, { subject, of, quota, buckets }: Of<'release'>): Answer {
  const hold = requireHeld(book, subject, of, quota);
  const { receipt } = returnTo(book, hold.lines, { amount: sumUnits(hold.lines), buckets });
  writeHold(book, { ...hold, state: 'released', settledAtMs: book.nowMs });
  return answerReturn(book, hold.amount, receipt);
}

function refund(book: Book, { subject, of, quota, amount, buckets }: Of<'refund'>): Answer {
  const operation = book.operations.get(idOf(subject, of));
  if (operation !== undefined) requireQuota(of, quota, quotasOf(operation.answer));
  const receipt = operation?.answer.receipt ?? [];
  // Of a batch, only the named quota.
  const own = (index: number): boolean => quota === undefined || receipt[index]?.quota === quota;
  const sum = (units: readonly number[]): number => units.reduce((all, one, index) => all + (own(index) ? one : 0), 0);
  const taken = sum(receipt.map((line) => line.amount));
  const left = taken - sum(operation?.returned ?? []);
  const took = operation !== undefined && operation.answer.outcome === 'granted' && operation.kind !== 'reserve';
  if (operation === undefined || !took || left < (amount ?? 1)) {
    const why = took
      ? `${left} units are left of the ${taken} of "${of}"${amount === undefined ? '' : `, not ${amount}`}`
      : `"${of}" of "${subject}" took nothing`;
    throw quotaRefusal('nothing-to-refund', `There is nothing to refund: ${why}.`);
  }
  const asked = amount ?? left;
  const before = receipt.map((line, index) => (own(index) ? (operation.returned[index] ?? 0) : line.amount));
  const { back, receipt: given } = returnTo(book, receipt, { amount: asked, buckets, returned: before });
  const total = back.map((units, index) => units + (operation.returned[index] ?? 0));
  writeOperation(book, idOf(subject, of), { ...operation, returned: total });
  return answerReturn(book, asked, given);
}

function carry(book: Book, { subject, moves, changedAtMs }: Of<'carry'>): Answer {
  const { nowMs } = book;
  const atMs = Math.min(nowMs, changedAtMs ?? nowMs);
  const receipt = moves.map((move): Line => {
    const { from, to } = move;
    // The same bucket in other windows holds the same use, whatever the rule for others.
    const onPlanChange = from.id === to.id ? 'carry' : move.onPlanChange;
    const [fromSpan, toSpan] = [spanOf(from, atMs), spanOf(to, atMs)];
    // Units that earlier windows pass on must be in the book before the move.
    readUses(book, { subject, buckets: [from, to].filter(({ rollover }) => rollover !== undefined) }, nowMs);
    const left = { subject, bucket: from.id, window: fromSpan.key };
    const source = book.counters.get(idOfCounter(left));
    const name = { subject, bucket: to.id, window: toSpan.key };
    const target = book.counters.get(idOfCounter(name));
    const had = usedIn(target, toSpan.fromMs);
    if (from.id === to.id && fromSpan.key === toSpan.key) {
      // This window is the one in force, wherever its use had moved.
      if (source !== undefined) writeCounter(book, { ...source, moved: undefined });
      return { ...name, quota: '', amount: 0 };
    }
    const used = usedAfterChange(
      onPlanChange,
      { limit: from.limit, used: usedIn(source, fromSpan.fromMs) },
      { limit: to.limit, used: had },
    );
    const line = { ...name, quota: '', amount: used - had };
    if (to.window.type === 'rolling') {
      if (line.amount > 0) add(book, { ...line, atMs: nowMs, untilMs: nowMs + lengthMs(to) });
    } else {
      writeCounter(book, { ...target, ...name, used, untilMs: toSpan.untilMs, moved: undefined });
      if (onPlanChange === 'carry') carryRolled(book, source, book.counters.get(idOfCounter(name)));
    }
    const isCounted = to.window.type !== 'rolling' && onPlanChange !== 'reset';
    const [units, of] = onPlanChange === 'scale' && isLimited(from) && isLimited(to) ? [to.limit, from.limit] : [1, 1];
    const gain = isCounted ? line.amount : 0;
    const empty = { used: 0, ...(from.window.type === 'rolling' ? { entries: [] } : {}) };
    const untilMs = from.window.type === 'rolling' ? undefined : fromSpan.untilMs;
    const moved = { bucket: to.id, window: toSpan.key, isCounted, units, of, gain };
    writeCounter(book, { ...empty, untilMs, ...book.counters.get(idOfCounter(left)), ...left, moved });
    return line;
  });
  const amount = sumUnits(receipt);
  const balances = readUses(book, { subject, buckets: moves.map(({ to }) => to) }, nowMs).map(balanceOf);
  return { ...plainAnswer(book, 'carried', { asked: amount, amount, receipt }), balances };
}

function isLimited(bucket: Bucket): bucket is Bucket & { readonly limit: number } {
  return bucket.limit !== 'unlimited' && bucket.limit > 0;
}

/** Moves the rollover state with the use, once: the old window passes nothing on. */
function carryRolled(book: Book, source: Counter | undefined, target: Counter | undefined): void {
  if (source?.rolled === undefined || target?.rolled === undefined) return;
  const [from, to] = [source.rolled, target.rolled];
  const [brought, least] = [Math.max(from.brought, to.brought), Math.min(from.least, to.least)];
  writeCounter(book, { ...source, rolled: { ...from, isPassed: true } });
  writeCounter(book, { ...target, rolled: { ...to, brought, least, isPassed: false } });
}

function answerReturn(book: Book, asked: number, receipt: readonly Line[]): Answer {
  const amount = sumUnits(receipt);
  return plainAnswer(book, 'returned', { asked, amount, receipt });
}

function plainAnswer(
  book: Book,
  outcome: Answer['outcome'],
  { asked, amount, receipt }: Pick<Answer, 'asked' | 'amount' | 'receipt'>,
): Answer {
  return { outcome, asked, amount, receipt, balances: [], atMs: book.nowMs, replayed: false };
}

function sumUnits(lines: readonly Line[]): number {
  return lines.reduce((sum, { amount }) => sum + amount, 0);
}
