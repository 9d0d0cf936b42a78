import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structureOf } from '#kernel/kinds/structure.ts';
import { PrometheusSource, type PrometheusSourceSpec } from './prometheus-source.ts';

const context = { now: Temporal.Instant.from('2026-05-01T12:00:00Z'), find: () => [], name: 'main' };

function details(more: Partial<PrometheusSourceSpec>): readonly string[] {
  const spec = { url: 'https://prometheus.example', timeout: 'PT5S', ...more };
  return (PrometheusSource.validate?.(spec, context) ?? []).map(({ detail }) => detail);
}

test('the example is valid', () => {
  const spec = PrometheusSource.example?.spec;
  assert.deepEqual(structureOf(PrometheusSource).validate({ spec }), []);
  assert.deepEqual(PrometheusSource.validate?.(spec, context), []);
});

test('an address with a password, two kinds of authentication, or an invalid certificate are refused', () => {
  const key = { namespace: 'n', name: 's', key: 'k' };
  const cases: readonly [Partial<PrometheusSourceSpec>, readonly string[]][] = [
    [{}, []],
    [{ url: 'https://' }, ['Invalid address; write it like https://prometheus.example:9090.']],
    [{ url: 'https://ada:secret@prometheus.example' }, ['Put the user and password into basicAuth.']],
    [{ url: 'https://prometheus.example?a=b' }, ['The address has no query and no fragment.']],
    [{ timeout: 'PT11S' }, ['"PT11S" must be from PT1S to PT10S.']],
    [{ caCertificate: 'ca.pem' }, ['This is no certificate in PEM.']],
    [{ bearerToken: key, basicAuth: { username: 'ada', password: key } }, ['Use a token or a password, not both.']],
  ];
  for (const [spec, wanted] of cases) assert.deepEqual(details(spec), wanted);
});
