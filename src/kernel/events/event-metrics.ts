import { Counter, Histogram, type Registry } from 'prom-client';
import { gauge } from '#kernel/http/metrics.ts';
import type { Verdict } from './judge.ts';
import type { EventResult } from './write-events.ts';

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Includes the bounds between which clocks are corrected, see `EVENT_LIMITS`. */
const SKEW_BUCKETS_SECONDS = [-86_400, -3_600, -300, -5, 5, 60, 300, 3_600, 86_400];

export interface EventMetrics {
  /** Counts the outcomes of a batch. */
  readonly countOutcomes: (verdicts: readonly Verdict[], results: readonly (EventResult | undefined)[]) => void;
  /** Records how far a sender's clock was behind ours when it sent a batch; negative: ahead. */
  readonly observeSkew: (ms: number) => void;
  /** Records how long the commit of a group of batches took. */
  readonly observeCommit: (ms: number) => void;
  /** Counts a request that was answered 429 because too much was waiting. */
  readonly countTurnedAway: () => void;
}

export function eventMetrics(
  registry: Registry,
  read: { readonly waiting: () => number; readonly waitingBytes: () => number },
): EventMetrics {
  const events = new Counter({
    name: 'backline_events_total',
    help: 'Events by type (empty: unknown) and outcome.',
    labelNames: ['type', 'outcome'] as const,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'backline_events_commit_seconds',
    help: 'Duration of the commit of a group of batches.',
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const skew = new Histogram({
    name: 'backline_events_clock_skew_seconds',
    help: 'How far the clocks of senders were behind ours when they sent a batch (negative: ahead); only batches with sentAt.',
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
    countOutcomes: (verdicts, results) => {
      const counts = new Map<string, { type: string; outcome: string; count: number }>();
      for (const [index, verdict] of verdicts.entries()) {
        const outcome = results[index]?.outcome;
        if (outcome === undefined) continue;
        const type = verdict.outcome === 'accepted' ? verdict.rules.type : verdict.countedAs;
        const key = `${outcome} ${type}`;
        const entry = counts.get(key) ?? { type, outcome, count: 0 };
        entry.count += 1;
        counts.set(key, entry);
      }
      for (const { type, outcome, count } of counts.values()) events.inc({ type, outcome }, count);
    },
    observeSkew: (ms) => skew.observe(ms / 1000),
    observeCommit: (ms) => seconds.observe(ms / 1000),
    countTurnedAway: () => turnedAway.inc(),
  };
}
