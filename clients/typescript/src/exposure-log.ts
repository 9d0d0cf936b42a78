import type { Context } from '#kernel/audiences/language/language.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { unitReader } from '#domains/experience/decisions/unit.ts';
import { randomUUID } from 'node:crypto';
import type { FlagDetails } from '../package/types/index.d.ts';
import type { EventQueue } from './event-queue.ts';

const LIMITS = {
  /** Exposures that are remembered, so that each is sent once in a while. The server counts each once a day anyway. */
  rememberedMax: 50_000,
  againMs: 3_600_000,
} as const;

/** Sends each exposure once an hour at most. What is compared is its whole identity: only the time is left out. */
export class ExposureLog {
  readonly #queue: EventQueue;
  readonly #type: string;
  readonly #warn: (message: string) => void;
  readonly #seen = new Map<string, number>();
  #isWarned = false;

  constructor(queue: EventQueue, type: string, warn: (message: string) => void) {
    this.#queue = queue;
    this.#type = type;
    this.#warn = warn;
  }

  add(details: FlagDetails, context: Context): void {
    const {
      key,
      variant,
      reason,
      rule = '',
      experiment = '',
      assignmentId = '',
      holdout = '',
      revision = '',
      snapshot = '',
    } = details;
    if (variant === undefined || reason !== 'SPLIT') return;
    const subject = subjectOf(details, context);
    if (subject === undefined) return this.#warnOfNobody(key);
    const identity = [subject, key, variant, rule, experiment, assignmentId, holdout, revision].join('\n');
    const nowMs = Date.now();
    const before = this.#seen.get(identity);
    if (before !== undefined && nowMs - before < LIMITS.againMs) return;
    this.#seen.delete(identity);
    this.#seen.set(identity, nowMs);
    if (this.#seen.size > LIMITS.rememberedMax) {
      const [oldest] = this.#seen.keys();
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    this.#queue.add({
      type: this.#type,
      id: randomUUID(),
      at: new Date(nowMs).toISOString(),
      subject,
      properties: {
        flag: key,
        variant,
        reason,
        rule,
        experiment,
        assignmentId,
        holdout,
        specRevision: revision,
        snapshot,
      },
    });
  }

  #warnOfNobody(key: string): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    this.#warn(`exposures to "${key}" are not logged: the context names neither a targetingKey nor a lasting unit`);
  }
}

/** Who was exposed: the listener where the context names one, else the unit that was put into buckets. */
function subjectOf({ unit = [] }: FlagDetails, context: Context): string | undefined {
  const listener = context[TARGETING_KEY];
  if (typeof listener === 'string' && listener !== '') return listener;
  return unitReader(unit.filter((name) => !name.startsWith('$')))({ context, random: () => 0 });
}
