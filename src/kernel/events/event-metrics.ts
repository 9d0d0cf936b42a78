import { Counter, Histogram, type Registry } from 'prom-client';
import { gauge } from '#kernel/http/metrics.ts';
import type { Verdict } from './judge.ts';
import type { EventResult } from './write-events.ts';

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** The bounds of what is corrected among them, see `EVENT_LIMITS`. */
const SKEW_BUCKETS_SECONDS = [-86_400, -3_600, -300, -5, 5, 60, 300, 3_600, 86_400];

export interface EventMetrics {
  /** What became of the events of a batch. */
  readonly counted: (verdicts: readonly Verdict[], results: readonly (EventResult | undefined)[]) => void;
  /** How far a sender's clock was behind ours when it sent a batch; negative: ahead. */
  readonly skewed: (ms: number) => void;
  /** That a group of batches became durable, after so long. */
  readonly committed: (ms: number) => void;
  /** That a request was turned away because too much was waiting. */
  readonly turnedAway: () => void;
}

export function eventMetrics(
  registry: Registry,
  read: { readonly waiting: () => number; readonly waitingBytes: () => number },
): EventMetrics {
  const events = new Counter({
    name: 'backline_events_total',
    help: 'Events by type (empty: no known one) and what became of them.',
    labelNames: ['type', 'outcome'] as const,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'backline_events_commit_seconds',
    help: 'Time in which a group of batches was made durable.',
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const skew = new Histogram({
    name: 'backline_events_clock_skew_seconds',
    help: 'How far the clocks of senders were behind ours when they sent a batch (negative: ahead), of those that say it.',
    buckets: SKEW_BUCKETS_SECONDS,
    registers: [registry],
  });
  const turnedAway = new Counter({
    name: 'backline_events_turned_away_total',
    help: 'Requests with events that were answered 429.',
    registers: [registry],
  });
  gauge(registry, 'backline_events_waiting', 'Events that are not answered yet.', read.waiting);
  gauge(registry, 'backline_events_waiting_bytes', 'Bytes of requests that are not answered yet.', read.waitingBytes);
  return {
    counted: (verdicts, results) => {
      const counts = new Map<string, { type: string; outcome: string; count: number }>();
      for (const [index, verdict] of verdicts.entries()) {
        const outcome = results[index]?.outcome;
        if (outcome === undefined) continue;
        const type = verdict.outcome === 'accepted' ? verdict.rules.type : verdict.countedAs;
        const key = `${outcome} ${type}`;
        const counted = counts.get(key) ?? { type, outcome, count: 0 };
        counted.count += 1;
        counts.set(key, counted);
      }
      for (const { type, outcome, count } of counts.values()) events.inc({ type, outcome }, count);
    },
    skewed: (ms) => skew.observe(ms / 1000),
    committed: (ms) => seconds.observe(ms / 1000),
    turnedAway: () => turnedAway.inc(),
  };
}
