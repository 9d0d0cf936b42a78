import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#kernel/access/kinds/secret.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Outgoing } from '#kernel/outbound/send-request.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { PrometheusSource } from '../../kinds/prometheus-source.ts';
import { prometheusSource } from './prometheus-source.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const key = { namespace: 'a', name: 'prometheus', key: 'token' };

test('no field of a PrometheusSource without an effect', async () => {
  const observe = async (spec: unknown): Promise<unknown> => {
    const asked: Outgoing[] = [];
    const objects = (kind: Kind, namespace: string, name: string): object | undefined => {
      if (kind === PrometheusSource) return { spec };
      const isThere = kind === Secret && namespace === key.namespace && name === key.name;
      return isThere ? { data: { [key.key]: Buffer.from('secret').toString('base64') } } : undefined;
    };
    const source = prometheusSource({
      store: {
        get: (kind, namespace, name) => {
          const object = objects(kind, namespace, name);
          return object === undefined ? undefined : ({ object: () => object } as Entry);
        },
      },
      database: { query: () => Promise.resolve([]) } as never,
      outbound: {
        ask: async (_cause, outgoing) => {
          asked.push(outgoing);
          return { status: 503, headers: {}, text: '', isCut: false };
        },
      },
    });
    const guardrail = {
      name: 'lag',
      prometheus: { source: 'main', value: 'lag' },
      threshold: { above: 1, unitsMin: 1 },
    };
    const window = { release: 'r', guardrail, stage: 0, fromMs: 0, toMs: 60_000 };
    const measured = await source.measure(window, AbortSignal.any([]));
    return [
      PrometheusSource.validate?.(spec, {
        now: Temporal.Instant.fromEpochMilliseconds(0),
        find: () => [],
        name: 'main',
      }),
      measured,
      asked.map(({ signal: _signal, ...request }) => request),
    ];
  };
  const url = 'https://prometheus.example';
  const without = await fieldsWithoutEffect({
    kind: PrometheusSource,
    bases: [
      { url, timeout: 'PT5S', caCertificate: PEM, serverName: 'main', bearerToken: key },
      { url, basicAuth: { username: 'ada', password: key } },
    ],
    informational: [],
    values: { timeout: ['PT2S'], caCertificate: [PEM.replace('MIIB', 'MIIC')] },
    observe,
  });
  assert.deepEqual(without, []);
});
