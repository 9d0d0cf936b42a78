import { randomUUID } from 'node:crypto';
import { Refusal, type RefusalCode } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { LATE, pause, systemTime, within } from '#kernel/base/time.ts';
import type { Outcome, Place, Store, WriteLimit } from './contract.ts';
import {
  type Deliver,
  type ForwardedWrite,
  outcomeOf,
  refusalOfAnswer,
  UNDECIDED,
  type WriterAddress,
} from './forwarding.ts';
import { type ChangeRow, RowReader } from './load.ts';
import { nextSend } from './next-send.ts';
import { type SharedParts, writerNow } from './shared-parts.ts';

const RETRY_MS = 50;
/** How long a write waits for a writer before the caller gets 503. */
const WRITE_MS_MAX = 10_000;
/** How long it takes at most to look up what became of one that this process began itself. */
const SETTLE_MS_MIN = 2_000;

const DID = { ADDED: 'created', MODIFIED: 'changed', DELETED: 'removed' } as const;

const NOT_WRITTEN: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'resources/not-writer',
  'resources/taken-over',
  'resources/gave-way',
]);

interface SendingParts<Operation> extends SharedParts<Operation> {
  readonly deliver: Deliver<Operation>;
  /** The object of an operation. */
  readonly placeOf: (operation: Operation) => Place;
}

/** A write on its way. */
interface Sending<Operation> {
  readonly write: ForwardedWrite<Operation>;
  readonly limit: WriteLimit | undefined;
  /** When the caller gets 503, by the steady clock. */
  readonly giveUpMs: number;
}

/** Writes in the process that writes, and settles by the record what was sent without an answer. */
export function sharedWrites<Operation>(parts: SendingParts<Operation>): Store<Operation>['write'] {
  const { role, stop } = parts;
  return async (operations, author, { dryRun = false, limit } = {}) => {
    const write: ForwardedWrite<Operation> = { id: randomUUID(), operations, author, dryRun };
    const giveUpMs = performance.now() + WRITE_MS_MAX;
    const { sequencer } = role;
    if (sequencer === undefined || stop.aborted) return send(parts, { write, limit, giveUpMs }, undefined);
    const { epoch } = sequencer;
    try {
      return await sequencer.write(write, limit?.signal);
    } catch (error) {
      if (stop.aborted || !isUndecided(error)) throw error;
      // However long this process itself has tried: what became of it is looked up.
      const sending = { write, limit, giveUpMs: Math.max(giveUpMs, performance.now() + SETTLE_MS_MIN) };
      return send(parts, sending, wasNotWritten(error) ? undefined : epoch);
    }
  };
}

/**
 * Sends a write to the process that writes, until there is an answer.
 *
 * @param unansweredIn see `nextSend`
 */
async function send<Operation>(
  parts: SendingParts<Operation>,
  sending: Sending<Operation>,
  unansweredIn: number | undefined,
): Promise<readonly Outcome[]> {
  const { role, stop, log } = parts;
  const { write, limit, giveUpMs } = sending;
  let unanswered = unansweredIn;
  while (performance.now() < giveUpMs && !stop.aborted && limit?.signal.aborted !== true) {
    const { readOnlyBecause } = role;
    if (unanswered === undefined && readOnlyBecause !== undefined) throw noWriter(sentenceOf(readOnlyBecause));
    try {
      const writer = await within(writerNow(parts), giveUpMs - performance.now());
      if (writer === LATE) break;
      if (nextSend(unanswered, writer, role.sequencer !== undefined) === 'lookUp') {
        const found = await readOutcomes(parts, write);
        if (found !== undefined) return found;
        unanswered = undefined;
      }
      const { sequencer } = role;
      const next = nextSend(unanswered, writer, sequencer !== undefined);
      if (next === 'writeHere' && sequencer !== undefined) {
        unanswered = sequencer.epoch;
        return await sequencer.write(write, limit?.signal);
      }
      if (next === 'deliver' && writer.address !== undefined) {
        unanswered = writer.epoch;
        return await deliverWrite(parts, sending, { address: writer.address, epoch: writer.epoch });
      }
    } catch (error) {
      if (error instanceof Refusal && !isUndecided(error)) throw error;
      if (wasNotWritten(error)) unanswered = undefined;
      log?.debug({ err: error }, 'writer: forwarded write not answered; checking whether it was committed');
    }
    await pause(systemTime, RETRY_MS, stop);
  }
  throw unanswered === undefined || write.dryRun ? noWriter('No process writes at the moment.') : outcomeUnknown();
}

/** The writer's answer. The wait ends when another process writes, or when the caller stops waiting. */
async function deliverWrite<Operation>(
  { role, deliver, kinds, tail }: SendingParts<Operation>,
  { write, limit, giveUpMs }: Sending<Operation>,
  { address, epoch }: { readonly address: WriterAddress; readonly epoch: number },
): Promise<readonly Outcome[]> {
  const leftMs = Math.max(1, Math.min(giveUpMs - performance.now(), limit?.leftMs ?? Infinity));
  const answer = await role.during(epoch, leftMs, (ended) => {
    const signal = limit === undefined ? ended : AbortSignal.any([ended, limit.signal]);
    return deliver(address, write, { signal, leftMs });
  });
  if (!('outcomes' in answer)) throw refusalOfAnswer(answer);
  const outcomes = answer.outcomes.map((plain) => outcomeOf(plain, kinds));
  if (!write.dryRun) await tail.reach(Math.max(...answer.outcomes.map(({ version }) => version), 0));
  return outcomes;
}

/** The outcomes of a write, if it is in the record. */
async function readOutcomes<Operation>(
  { database, kinds, texts, memory, tail, placeOf }: SendingParts<Operation>,
  write: ForwardedWrite<Operation>,
): Promise<readonly Outcome[] | undefined> {
  const rows = await database.query<ChangeRow>({
    text: `
      select version, type, kind, namespace, name, body
      from backline.changes where write_id = $1 order by version`,
    values: [write.id],
  });
  const last = rows.at(-1);
  if (last === undefined) return undefined;
  await tail.reach(last.version);
  const reader = new RowReader(kinds, texts);
  return write.operations.map((operation): Outcome => {
    const { kind, namespace, name } = placeOf(operation);
    const row = rows.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
    const entry = row === undefined ? undefined : reader.entry(row);
    if (row !== undefined && entry !== undefined) return { did: DID[row.type], entry };
    const kept = kinds.get(kind);
    const current = kept === undefined ? undefined : memory.get(kept, namespace, name);
    if (current === undefined) throw outcomeUnknown();
    return { did: 'nothing', entry: current };
  });
}

function isUndecided(error: unknown): boolean {
  return error instanceof Refusal && UNDECIDED.has(error.code);
}

function wasNotWritten(error: unknown): boolean {
  return error instanceof Refusal && NOT_WRITTEN.has(error.code);
}

function sentenceOf(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}

export function noWriter(message: string): Refusal {
  return resourceRefusal('not-writer', message, {
    retryAfterSeconds: 1,
    remedy: 'Try again in a moment; nothing was written.',
  });
}

function outcomeUnknown(): Refusal {
  return resourceRefusal(
    'outcome-unknown',
    'The writer went away during the write and nobody took its place in time: whether it was written is not known.',
    { retryAfterSeconds: 1 },
  );
}
