import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ControllerMetrics } from './controller.ts';

const BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

const known = new WeakMap<Registry, (controller: string) => ControllerMetrics>();

/** Figures of controllers, by the controller's name; a registry has them once. */
export function controllerMetrics(registry: Registry): (controller: string) => ControllerMetrics {
  const metrics = known.get(registry) ?? makeMetrics(registry);
  known.set(registry, metrics);
  return metrics;
}

function makeMetrics(registry: Registry): (controller: string) => ControllerMetrics {
  const readers = new Map<string, () => number>();
  const labelNames = ['controller'] as const;
  const depth = new Gauge({
    name: 'backline_controller_queue_depth',
    help: 'Keys that wait to be worked on.',
    labelNames,
    registers: [registry],
    collect() {
      for (const [controller, read] of readers) this.set({ controller }, read());
    },
  });
  const seconds = new Histogram({
    name: 'backline_controller_work_seconds',
    help: 'Time that one key took, by how it ended.',
    labelNames: ['controller', 'outcome'] as const,
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const retries = new Counter({
    name: 'backline_controller_retries_total',
    help: 'Keys that were put back to be looked at again.',
    labelNames,
    registers: [registry],
  });
  return (controller) => {
    depth.set({ controller }, 0);
    return {
      depth: (read) => readers.set(controller, read),
      observeRun: (spent, outcome) => seconds.observe({ controller, outcome }, spent),
      countRetry: () => retries.inc({ controller }),
    };
  };
}
