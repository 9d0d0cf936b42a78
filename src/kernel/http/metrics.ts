import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Counts of answered requests, by route and status class; kept cheap because every decision passes through. */
export interface HttpMetrics {
  readonly countAnswer: (route: string, status: number, ms: number) => void;
  /** One more (1) or one fewer (-1) answer that goes on until somebody ends it. */
  readonly streaming: (change: 1 | -1) => void;
}

/** A registry with the process's own figures (memory, event loop, garbage collection). */
export function openRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** A gauge that is read when somebody asks. */
export function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(read());
      },
    }),
  );
}

/** A gauge with labels that is read when somebody asks. */
export function gauges<Label extends string>(
  registry: Registry,
  about: { readonly name: string; readonly help: string; readonly labelNames: readonly Label[] },
  read: () => Iterable<readonly [Readonly<Record<Label, string>>, number]>,
): void {
  registry.registerMetric(
    new Gauge({
      ...about,
      registers: [],
      collect() {
        for (const [labels, value] of read()) this.set(labels, value);
      },
    }),
  );
}

export function counter(registry: Registry, name: string, help: string): Counter {
  return new Counter({ name, help, registers: [registry] });
}

const BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Metrics of requests by route: few enough to be labels whatever callers send, because unknown paths count as `other`. */
export function httpMetrics(registry: Registry): HttpMetrics {
  const seconds = new Histogram({
    name: 'backline_http_request_seconds',
    help: 'Time from the end of the request headers to the end of the answer.',
    labelNames: ['route', 'status'] as const,
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  // Kept by route and hundreds of the status: making the label of a request anew costs more than observing it.
  const children = new Map<string, (typeof unlabelled | undefined)[]>();
  let streams = 0;
  gauge(registry, 'backline_http_open_streams', 'Answers that go on until somebody ends them.', () => streams);
  const unlabelled = seconds.labels({ route: 'other', status: '2xx' });
  return {
    streaming: (change) => {
      streams += change;
    },
    countAnswer: (route, status, ms) => {
      let ofRoute = children.get(route);
      if (ofRoute === undefined) children.set(route, (ofRoute = []));
      const hundreds = Math.floor(status / 100);
      (ofRoute[hundreds] ??= seconds.labels({ route, status: `${hundreds}xx` })).observe(ms / 1000);
    },
  };
}
