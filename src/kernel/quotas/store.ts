import { Unavailable } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { dealOf, groupDeciding, type Deal, type DecidingParts } from './decide-group.ts';
import { FailedDecision, openGroup } from './group.ts';
import { checked } from './rules/check.ts';
import type { Book } from './rules/book.ts';
import type { Answer, CheckAnswer, Check, Signer, SlotAnswer } from './rules/contract.ts';
import type { ChargeOperation, Operation } from './rules/operation.ts';
import { decideSlot, type SlotRequest } from './rules/slots.ts';

/** The quotas of one database. A signal drops what no group has taken yet: it is rejected with the reason. */
export interface Store {
  readonly operate: (operation: Operation, signal?: AbortSignal) => Promise<Answer>;
  readonly slot: (request: SlotRequest, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly check: (check: Check, signal?: AbortSignal) => Promise<CheckAnswer>;
  /** Gives back the units of reservations of the subject that have expired. */
  readonly settle: (subject: string) => Promise<void>;
  /** Drops what is remembered of an erased subject. */
  readonly forget: (subject: string) => void;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

/**
 * Many requests of many subjects are decided in one transaction: the subjects are locked in order, everything about them
 * is read, the pure rules decide one request after the other, and all that changed is written and committed before the
 * first one is answered. Whoever else wants one of the subjects, in this process or another, waits at its lock.
 *
 * What this process knows of its last transactions is not read again: the decision is made ahead, and one statement
 * locks the counters, sees that nobody changed them, writes and commits. When somebody did, it is decided as above.
 */
export function openStore(parts: DecidingParts & { readonly signer: Signer; readonly log: Log }): Store {
  const { signer, log, metrics, seen, known } = parts;
  const { write, writeKnown, read } = groupDeciding(parts);
  const writes = openGroup<Deal>(write, notStored);
  const charges = openGroup<ChargeOperation>(writeKnown, notStored);
  const reads = openGroup<Deal>(read, notStored);

  return {
    operate: (operation, signal) =>
      known.covers(operation)
        ? charges.ask(operation, chargeAnswered, signal)
        : writes.ask(dealOf(operation), (outcome) => answered(operation.kind, outcome), signal),
    slot: (request, signal) => {
      const { subject, quota } = request;
      const decided = (book: Book): SlotAnswer => decideSlot(book, request, signer);
      const slots = [[subject, quota]] as const;
      const deal = { subjects: () => [subject], buckets: () => [], slots, decide: decided };
      const slotAnswered = (outcome: unknown): SlotAnswer => {
        const answer = outcome as SlotAnswer;
        metrics.decided(request.kind, answer.outcome, false);
        return answer;
      };
      return writes.ask(deal, slotAnswered, signal);
    },
    check: (check, signal) => {
      const { subject, buckets } = check;
      const deal: Deal = {
        subjects: () => [subject],
        buckets: () => buckets.map(({ id }) => [subject, id] as const),
        decide: (book) => checked(book, check),
      };
      return reads.ask(deal, (outcome) => outcome as CheckAnswer, signal);
    },
    settle: async (subject) => {
      const deal = { subjects: () => [subject], buckets: () => [], decide: () => undefined };
      await writes.ask(deal, () => undefined);
    },
    forget: (subject) => {
      known.forget([subject]);
      seen.forget(subject);
    },
    waiting: () => charges.waiting() + writes.waiting() + reads.waiting(),
    close: async () => {
      // What changed meanwhile goes from the charges to the writes by itself, past the other group.
      await Promise.all([charges.close(), writes.close(), reads.close()]);
    },
  };

  function answered(kind: Operation['kind'], outcome: unknown): Answer {
    const answer = outcome as Answer;
    metrics.decided(kind, answer.outcome, answer.replayed);
    return answer;
  }

  function chargeAnswered(outcome: unknown): Answer {
    return answered('charge', outcome);
  }

  function notStored(error: unknown): Error {
    log.error({ err: error }, 'quotas: cannot commit; requests answered 503');
    if (error instanceof FailedDecision) return error;
    const why = error instanceof Unavailable ? error.message : 'The database did not confirm it.';
    return quotaRefusal('not-stored', why, {
      retryAfterSeconds: 1,
    });
  }
}
