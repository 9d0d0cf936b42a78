import { Refusal, type Problem, type Reason, type RefusalCode } from '#kernel/base/failures.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Author, Outcome, WriteLimit } from './contract.ts';
import { StoredEntry } from './entry.ts';

/** A write on its way to the process that writes. Plain data. */
export interface ForwardedWrite<Operation> {
  /** Unique: the same write sent twice is carried out once. */
  readonly id: string;
  readonly operations: readonly Operation[];
  readonly author: Author;
  readonly dryRun: boolean;
}

/** How to reach the writer, as it stands in the database; empty text when it takes no forwarded writes. */
export interface WriterAddress {
  readonly url: string;
  /** PEM of the authority of its certificate. */
  readonly ca: string;
  /** Proves that the sender can read the database, and so may write to it anyway. */
  readonly secret: string;
}

export interface PlainOutcome {
  readonly did: Outcome['did'];
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly text: string;
  readonly warnings?: readonly string[];
}

/** The writer's answer. */
export type ForwardedAnswer =
  | { readonly outcomes: readonly PlainOutcome[] }
  | {
      readonly refusal: {
        readonly code: RefusalCode;
        readonly reason: Reason;
        readonly message: string;
        readonly problems: readonly Problem[];
        readonly remedy?: string | undefined;
        readonly retryAfterSeconds?: number | undefined;
        readonly subject?: string | undefined;
      };
    };

/** Delivers a write; rejects when there was no answer, or when nobody waits for it any more, whatever became of the write. */
export type Deliver<Operation> = (
  to: WriterAddress,
  write: ForwardedWrite<Operation>,
  limit: WriteLimit,
) => Promise<ForwardedAnswer>;

function plainOutcome({ did, entry, warnings }: Outcome): PlainOutcome {
  const { kind, namespace, name, version, text } = entry;
  return { did, kind: kind.id, namespace, name, version, text, ...(warnings === undefined ? {} : { warnings }) };
}

export function outcomeOf(plain: PlainOutcome, kinds: ReadonlyMap<string, Kind>): Outcome {
  const { did, namespace, name, version, text, warnings } = plain;
  const kind = kinds.get(plain.kind);
  if (kind === undefined) throw new Error(`the writer answered with the unknown kind ${plain.kind}`);
  const entry = new StoredEntry({ kind, namespace, name, version }, text);
  return { did, entry, ...(warnings === undefined ? {} : { warnings }) };
}

/** The answer to a write that was carried out, or refused on purpose; throws what is neither. */
async function answerOf(outcomes: Promise<readonly Outcome[]>): Promise<ForwardedAnswer> {
  try {
    return { outcomes: (await outcomes).map(plainOutcome) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, reason, message, problems, remedy, retryAfterSeconds, subject } = error;
    return { refusal: { code, reason, message, problems, remedy, retryAfterSeconds, subject } };
  }
}

export function refusalOfAnswer({ refusal }: Extract<ForwardedAnswer, { refusal: unknown }>): Refusal {
  const { code, reason, message, problems, remedy, retryAfterSeconds, subject } = refusal;
  return new Refusal(code, reason, message, {
    problems,
    ...(remedy === undefined ? {} : { remedy }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(subject === undefined ? {} : { subject }),
  });
}

/** Carries out each forwarded write once, however often it arrives, and gives every arrival the same answer. */
export class ForwardedOnce<Operation> {
  readonly #answers = new Map<string, Promise<ForwardedAnswer>>();

  take(write: ForwardedWrite<Operation>, carryOut: () => Promise<readonly Outcome[]>): Promise<ForwardedAnswer> {
    const known = this.#answers.get(write.id);
    if (known !== undefined) return known;
    const answer = answerOf(carryOut());
    this.#answers.set(write.id, answer);
    // A failure that leaves the write undecided is no answer to keep: the sender looks it up by its id.
    const forget = () => this.#answers.delete(write.id);
    answer.then((given) => 'refusal' in given && UNDECIDED.has(given.refusal.code) && forget(), forget);
    if (this.#answers.size > ANSWERS_KEPT) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    return answer;
  }
}

/** Refusals that come of who writes, not of what is written. */
export const UNDECIDED: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'resources/not-writer',
  'resources/taken-over',
  'resources/gave-way',
  'resources/outcome-unknown',
]);

/** At 5,000 writes a second these are the answers of four seconds; a sender asks again within one. */
const ANSWERS_KEPT = 20_000;
