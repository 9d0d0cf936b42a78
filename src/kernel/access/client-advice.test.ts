import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientAdvisor } from './client-advice.ts';

const NOW = Temporal.Instant.from('2026-11-29T12:00:00Z');
const PATHS = [
  { path: '/v1/check', access: 'catalogue' },
  { path: '/ofrep/v1/evaluate/flags/*', access: 'catalogue' },
] as const;

test('warns about a Client whose keys have all ended, and about unknown endpoints', () => {
  const { advise } = clientAdvisor(PATHS, () => NOW);
  const advice = (spec: object) =>
    advise({ apiVersion: 'access.backline.dev/v1', kind: 'Client', metadata: { name: 'x' }, spec }, []);
  const ended = { name: 'old', hash: 'a', notAfter: '2026-11-29T11:59:59Z' };
  const good = { name: 'new', hash: 'b' };
  assert.deepEqual(advice({ keys: [ended, good], endpoints: PATHS.map(({ path }) => path) }), []);
  const [keys, ...more] = advice({
    keys: [ended],
    endpoints: ['/v1/check', '/v1/chekc', '/ofrep/v1/evaluate/flags/x'],
  });
  assert.match(keys ?? '', /^spec\.keys: all keys have ended/);
  assert.match(more[0] ?? '', /^spec\.endpoints\[1\]: there is no path "\/v1\/chekc".*"\/v1\/check"/);
  assert.match(more[1] ?? '', /^spec\.endpoints\[2\]/);
});
