import { Unavailable } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { dealOf, openGroupDecider, type Deal, type DeciderParts } from './decide-group.ts';
import { FailedDecision, openGroup } from './group.ts';
import { answerCheck } from './rules/check.ts';
import type { Book } from './rules/book.ts';
import type { Answer, CheckAnswer, Check, Signer, SlotAnswer } from './rules/contract.ts';
import type { ChargeOperation, Operation } from './rules/operation.ts';
import { decideSlot, type SlotRequest } from './rules/slots.ts';

/** The quotas of one database. A signal drops a request that no group has taken yet: it rejects with the reason. */
export interface Store {
  readonly operate: (operation: Operation, signal?: AbortSignal) => Promise<Answer>;
  readonly slot: (request: SlotRequest, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly check: (check: Check, signal?: AbortSignal) => Promise<CheckAnswer>;
  /** Gives back the units of reservations of the subject that have expired. */
  readonly settle: (subject: string) => Promise<void>;
  /** Drops an erased subject from the caches. */
  readonly forget: (subject: string) => void;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

/**
 * Decides many requests of many subjects in one transaction: lock the subjects in order, read all their records, apply
 * the pure rules to one request after the other, write, commit, answer. Other requests for one of the subjects, in any
 * process, wait at its lock.
 *
 * Subjects in the cache are not read again: the decision is made ahead, and one statement locks the counters, checks
 * that they are unchanged, writes and commits. After a change by another process the slow path decides.
 */
export function openStore(parts: DeciderParts & { readonly signer: Signer; readonly log: Log }): Store {
  const { signer, log, metrics, recent, cache } = parts;
  const { write, writeFromCache, read } = openGroupDecider(parts);
  const writes = openGroup<Deal>(write, notStoredRefusal);
  const charges = openGroup<ChargeOperation>(writeFromCache, notStoredRefusal);
  const reads = openGroup<Deal>(read, notStoredRefusal);

  return {
    operate: (operation, signal) =>
      cache.covers(operation)
        ? charges.ask(operation, answerOfCharge, signal)
        : writes.ask(dealOf(operation), (outcome) => answerOf(operation.kind, outcome), signal),
    slot: (request, signal) => {
      const { subject, quota } = request;
      const decideOne = (book: Book): SlotAnswer => decideSlot(book, request, signer);
      const slots = [[subject, quota]] as const;
      const deal = { subjects: () => [subject], buckets: () => [], slots, decide: decideOne };
      const answerOfSlot = (outcome: unknown): SlotAnswer => {
        const answer = outcome as SlotAnswer;
        metrics.countDecision(request.kind, answer.outcome, false);
        return answer;
      };
      return writes.ask(deal, answerOfSlot, signal);
    },
    check: (check, signal) => {
      const { subject, buckets } = check;
      const deal: Deal = {
        subjects: () => [subject],
        buckets: () => buckets.map(({ id }) => [subject, id] as const),
        decide: (book) => answerCheck(book, check),
      };
      return reads.ask(deal, (outcome) => outcome as CheckAnswer, signal);
    },
    settle: async (subject) => {
      const deal = { subjects: () => [subject], buckets: () => [], decide: () => undefined };
      await writes.ask(deal, () => undefined);
    },
    forget: (subject) => {
      cache.forget([subject]);
      recent.forget(subject);
    },
    waiting: () => charges.waiting() + writes.waiting() + reads.waiting(),
    close: async () => {
      // Requests whose counters changed meanwhile move from the charges to the writes by themselves, past the other
      // group.
      await Promise.all([charges.close(), writes.close(), reads.close()]);
    },
  };

  function answerOf(kind: Operation['kind'], outcome: unknown): Answer {
    const answer = outcome as Answer;
    metrics.countDecision(kind, answer.outcome, answer.replayed);
    return answer;
  }

  function answerOfCharge(outcome: unknown): Answer {
    return answerOf('charge', outcome);
  }

  function notStoredRefusal(error: unknown): Error {
    log.error({ err: error }, 'quotas: cannot commit; requests answered 503');
    if (error instanceof FailedDecision) return error;
    const why = error instanceof Unavailable ? error.message : 'The database did not confirm it.';
    return quotaRefusal('not-stored', why, {
      retryAfterSeconds: 1,
    });
  }
}
