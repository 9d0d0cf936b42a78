import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHeldWords, findParticipleFunctions, HELD } from './words.ts';

/** Where no function is named by a participle alone. Only grows. */
const VERBS = [
  'src/cli',
  'src/domains/ads',
  'src/domains/experience',
  'src/domains/products',
  'src/kernel/access',
  'src/kernel/api',
  'src/kernel/audiences',
  'src/kernel/base',
  'src/kernel/controllers',
  'src/kernel/events',
  'src/kernel/http',
  'src/kernel/kinds',
  'src/kernel/modules',
  'src/kernel/outbound',
  'src/kernel/postgres',
  'src/kernel/quotas',
  'src/kernel/releases',
  'src/kernel/snapshots',
  'src/kernel/statistics',
  'src/kernel/store',
  'src/planes',
  'src/simulation',
];

test('no word that is out stands where they have been taken out', async () => {
  const findings = await findHeldWords(HELD);
  assert.deepEqual(
    findings.map(({ path, line, word, text }) => `${path}:${line} ${word}: ${text}`),
    [],
  );
});

test('no function is named by a participle alone where functions have verbs', async () => {
  const findings = await findParticipleFunctions(VERBS);
  assert.deepEqual(
    findings.map(({ path, line, word }) => `${path}:${line} ${word}`),
    [],
  );
});
