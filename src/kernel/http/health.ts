import type { Registry } from 'prom-client';
import { send, type Exchange } from './exchange.ts';
import type { Deadline } from './request-limit.ts';
import { READ_METHODS, type Route } from './router.ts';

/** Something that must be true before requests should come: its name and, when it is not, why. */
export interface ReadinessCheck {
  readonly name: string;
  readonly problem: () => string | undefined;
  /** Whether its problem is shown and keeps the process ready: requests are answered as always. */
  readonly isWarning?: boolean;
}

/** Collecting metrics takes a millisecond, and anybody may ask: within this time all get the same. */
const METRICS_FRESH_MS = 100;

const collected = new WeakMap<Registry, { readonly text: Promise<string>; readonly atMs: number }>();

function metricsText(registry: Registry): Promise<string> {
  const known = collected.get(registry);
  const atMs = performance.now();
  if (known !== undefined && atMs - known.atMs < METRICS_FRESH_MS) return known.text;
  const text = registry.metrics();
  collected.set(registry, { text, atMs });
  return text;
}

const PLAIN_TEXT = { contentType: 'text/plain; charset=utf-8' };

const DEADLINE: Deadline = { msDefault: 10_000, msMax: 10_000 };

/** `/livez`, `/readyz`, `/healthz` and `/metrics`. */
export function healthRoutes(checks: readonly ReadinessCheck[], registry: Registry): readonly Route<'everybody'>[] {
  const open = { methods: READ_METHODS, by: 'everybody' } as const;
  // They answer at once, whatever time is asked for.
  const probe = { ...open, deadline: 'stream', isForAnyHost: true } as const;
  const answerReadiness = (exchange: Exchange) => sendReadiness(exchange, checks);
  return [
    { ...probe, path: '/livez', handle: sendLiveness },
    { ...probe, path: '/readyz', handle: answerReadiness },
    { ...probe, path: '/healthz', handle: answerReadiness },
    {
      ...open,
      deadline: DEADLINE,
      // Metrics are not for pages of other origins.
      path: '/metrics',
      handle: async (exchange) =>
        send(exchange, 200, await metricsText(registry), { contentType: registry.contentType }),
    },
  ];
}

function sendLiveness(exchange: Exchange): void {
  send(exchange, 200, 'ok', PLAIN_TEXT);
}

function sendReadiness(exchange: Exchange, checks: readonly ReadinessCheck[]): void {
  const lines = checks.map(({ name, problem, isWarning = false }) => ({ name, problem: problem(), isWarning }));
  const isWell = lines.every(({ problem }) => problem === undefined);
  const ready = lines.every(({ problem, isWarning }) => problem === undefined || isWarning);
  const verbose = !isWell || exchange.queryText.includes('verbose');
  const text = lines.map(({ name, problem, isWarning }) =>
    problem === undefined ? `[+] ${name} ok` : `[${isWarning ? '!' : '-'}] ${name}: ${problem}`,
  );
  send(exchange, ready ? 200 : 503, verbose ? `${text.join('\n')}\n` : 'ok', PLAIN_TEXT);
}
