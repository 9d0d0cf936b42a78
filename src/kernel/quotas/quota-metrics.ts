import { Counter, Histogram, type Registry } from 'prom-client';
import { gauge } from '#kernel/http/metrics.ts';

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface QuotaMetrics {
  readonly countDecision: (operation: string, outcome: string, replayed: boolean) => void;
  /** Counts requests that became durable together, and the time of their group. */
  readonly observeCommit: (requests: number, ms: number) => void;
}

export function quotaMetrics(registry: Registry, waiting: () => number): QuotaMetrics {
  const decided = new Counter({
    name: 'backline_quota_operations_total',
    help: 'Quota operations by outcome; `repeated` for one that was answered from the ledger.',
    labelNames: ['operation', 'outcome'] as const,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'backline_quota_commit_seconds',
    help: 'Time to decide and commit one group of requests.',
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const grouped = new Counter({
    name: 'backline_quota_committed_total',
    help: 'Committed requests; divided by the number of commits, the mean group size.',
    registers: [registry],
  });
  // Finding a count by its labels costs as much as half of a decision.
  const counts = new Map<string, Counter.Internal>();
  const countOf = (operation: string, outcome: string): Counter.Internal => {
    const name = `${operation} ${outcome}`;
    const found = counts.get(name) ?? decided.labels(operation, outcome);
    counts.set(name, found);
    return found;
  };
  gauge(registry, 'backline_quota_waiting', 'Quota requests without an answer yet.', waiting);
  return {
    countDecision: (operation, outcome, replayed) => countOf(operation, replayed ? 'repeated' : outcome).inc(),
    observeCommit: (requests, ms) => {
      grouped.inc(requests);
      seconds.observe(ms / 1000);
    },
  };
}
