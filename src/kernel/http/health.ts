import type { Registry } from 'prom-client';
import { send, type Exchange } from './exchange.ts';

/** Something that must be true before requests should come: its name and, when it is not, why. */
export interface ReadinessCheck {
  readonly name: string;
  readonly problem: () => string | undefined;
}

/** Answers `/livez`, `/readyz`, `/healthz` and `/metrics`; false when the path is none of them. */
export function answerHealth(exchange: Exchange, checks: readonly ReadinessCheck[], registry: Registry): boolean {
  switch (exchange.path) {
    case '/livez':
      send(exchange, 200, 'text/plain; charset=utf-8', 'ok');
      return true;
    case '/readyz':
    case '/healthz': {
      const lines = checks.map(({ name, problem }) => ({ name, problem: problem() }));
      const ready = lines.every(({ problem }) => problem === undefined);
      const verbose = !ready || exchange.queryText.includes('verbose');
      const text = lines.map(({ name, problem }) =>
        problem === undefined ? `[+] ${name} ok` : `[-] ${name}: ${problem}`,
      );
      send(exchange, ready ? 200 : 503, 'text/plain; charset=utf-8', verbose ? `${text.join('\n')}\n` : 'ok');
      return true;
    }
    case '/metrics':
      registry.metrics().then(
        (text) => send(exchange, 200, registry.contentType, text),
        (error: unknown) => exchange.log.error({ err: error }, 'metrics could not be collected'),
      );
      return true;
    default:
      return false;
  }
}
