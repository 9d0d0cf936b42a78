import { Counter, Histogram, type Registry } from 'prom-client';
import { gauge } from '#kernel/http/metrics.ts';

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface QuotaMetrics {
  readonly decided: (operation: string, outcome: string, replayed: boolean) => void;
  /** That so many requests became durable together, after so long. */
  readonly committed: (requests: number, ms: number) => void;
}

export function quotaMetrics(registry: Registry, waiting: () => number): QuotaMetrics {
  const decided = new Counter({
    name: 'backline_quota_operations_total',
    help: 'Operations on quotas and what became of them; repeated ones are answered as the first time.',
    labelNames: ['operation', 'outcome'] as const,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'backline_quota_commit_seconds',
    help: 'Time in which a group of requests was decided and made durable.',
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const grouped = new Counter({
    name: 'backline_quota_committed_total',
    help: 'Requests that were made durable; by the count of commits that is how many go together.',
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
  gauge(registry, 'backline_quota_waiting', 'Requests on quotas that are not answered yet.', waiting);
  return {
    decided: (operation, outcome, replayed) => countOf(operation, replayed ? 'repeated' : outcome).inc(),
    committed: (requests, ms) => {
      grouped.inc(requests);
      seconds.observe(ms / 1000);
    },
  };
}
