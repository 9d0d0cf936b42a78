import type { Context } from '#kernel/audiences/language.ts';
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
  readonly #seen = new Map<string, number>();

  constructor(queue: EventQueue, type: string) {
    this.#queue = queue;
    this.#type = type;
  }

  add(details: FlagDetails, { targetingKey }: Context): void {
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
    if (typeof targetingKey !== 'string' || variant === undefined || reason !== 'SPLIT') return;
    const identity = [targetingKey, key, variant, rule, experiment, assignmentId, holdout, revision].join('\n');
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
      subject: targetingKey,
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
}
