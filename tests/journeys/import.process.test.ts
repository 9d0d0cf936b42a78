import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { FlagdCore } from '@openfeature/flagd-core';
import { execute } from '../support/kubectl.ts';
import { startWorld } from '../support/backline.ts';

const backline = resolve(import.meta.dirname, '../../bin/backline');

const definition = {
  flags: {
    'Home Layout': {
      state: 'ENABLED',
      variants: { grid: 'grid', shelves: 'shelves' },
      defaultVariant: 'grid',
      targeting: {
        if: [
          { in: [{ var: 'country' }, ['se', 'no']] },
          {
            fractional: [
              ['grid', 50],
              ['shelves', 50],
            ],
          },
          'grid',
        ],
      },
    },
  },
};

test('a definition of flagd is applied, and everybody keeps their variant under the key that code asks for', async (t) => {
  const world = await startWorld(t);
  const directory = await mkdtemp(join(tmpdir(), 'backline-import-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'flags.json');
  await writeFile(file, JSON.stringify(definition));
  const { kubeconfigFile } = world.running;
  const applied = await execute(backline, ['import', 'flagd', file, '--apply', '--kubeconfig', kubeconfigFile], '', {});
  assert.equal(applied.code, 0, applied.stderr);
  await world.running.control?.releases()?.caughtUp();
  const flagd = new FlagdCore();
  flagd.setConfigurations(JSON.stringify(definition));
  const counts = { grid: 0, shelves: 0 };
  for (let number = 0; number < 200; number += 1) {
    const context = { targetingKey: `listener-${number}`, country: number % 4 === 0 ? 'de' : 'se' };
    const { json } = await world.call('POST', '/ofrep/v1/evaluate/flags/Home%20Layout', { body: { context } });
    assert.equal(json.value, flagd.resolveStringEvaluation('Home Layout', '', context).value);
    counts[json.value as 'grid' | 'shelves'] += 1;
  }
  assert.ok(counts.shelves > 40 && counts.grid > 80, JSON.stringify(counts));
});

test('an import reports what it cannot translate exactly, and applies nothing', async (t) => {
  const world = await startWorld(t);
  const directory = await mkdtemp(join(tmpdir(), 'backline-import-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'payload.json');
  const odd = { defaultValue: false, rules: [{ condition: { tags: { $size: { $gt: 3 } } }, force: true }] };
  await writeFile(file, JSON.stringify({ features: { plain: { defaultValue: true }, odd } }));
  const run = (...more: string[]) =>
    execute(backline, ['import', 'growthbook', file, '--kubeconfig', world.running.kubeconfigFile, ...more], '', {});
  const refused = await run('--apply');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /left out {2}\/features\/odd\/.*\$size/);
  assert.match(refused.stderr, /nothing was applied/);
  const skipped = await run('--apply', '--skip-unsupported');
  assert.equal(skipped.code, 0, skipped.stderr);
  await world.running.control?.releases()?.caughtUp();
  assert.equal((await world.call('POST', '/ofrep/v1/evaluate/flags/plain', { body: {} })).json.value, true);
  assert.equal((await world.call('POST', '/ofrep/v1/evaluate/flags/odd', { body: {} })).status, 404);
  // A ramp in the source is imported again: nobody who takes part changes variant.
  const payloadOf = (coverage: number) => {
    const rule = { key: 'r', variations: ['off', 'on'], hashAttribute: 'id', hashVersion: 2, seed: 's', coverage };
    return JSON.stringify({ features: { ramped: { defaultValue: 'none', rules: [rule] } } });
  };
  const who = async () => {
    const seen = new Map<string, string>();
    for (let number = 0; number < 150; number += 1) {
      const body = { context: { targetingKey: `u${number}` } };
      const { json } = await world.call('POST', '/ofrep/v1/evaluate/flags/ramped', { body });
      if (json.metadata.experiment !== undefined) seen.set(`u${number}`, json.value);
    }
    return seen;
  };
  const takingPart: ReadonlyMap<string, string>[] = [];
  for (const coverage of [0.2, 0.7]) {
    await writeFile(file, payloadOf(coverage));
    const imported = await run('--apply', '--targeting-key', 'id');
    assert.equal(imported.code, 0, imported.stderr);
    await world.running.control?.releases()?.caughtUp();
    takingPart.push(await who());
  }
  const [few = new Map<string, string>(), many = new Map<string, string>()] = takingPart;
  assert.ok(few.size > 10 && many.size > few.size * 2, `${few.size}, then ${many.size}`);
  for (const [unit, variant] of few) assert.equal(many.get(unit), variant, unit);
  // A held object would leave everybody with another variant, so nothing is applied.
  const tested = { key: 'e', variations: ['off', 'on'], hashAttribute: 'id', hashVersion: 2, seed: 's' };
  await writeFile(file, JSON.stringify({ features: { tested: { defaultValue: 'off', rules: [tested] } } }));
  const holdouts = '/apis/experience.backline.dev/v1/namespaces/default/holdouts';
  const holdout = {
    apiVersion: 'experience.backline.dev/v1',
    kind: 'Holdout',
    metadata: { name: 'autumn' },
    spec: { percent: 5, required: true },
  };
  assert.equal((await world.call('POST', holdouts, { body: holdout })).status, 201);
  await world.running.control?.releases()?.caughtUp();
  const held = await run('--apply', '--targeting-key', 'id');
  assert.equal(held.code, 1);
  assert.match(held.stderr, /not live: Experiment .*Holdout "autumn" is required of every experiment/);
  assert.equal((await world.call('GET', holdouts.replace('holdouts', 'flags/tested'))).status, 404);
  const wrong = await execute(backline, ['import', 'unleash', file], '', {});
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /This is not a state of Unleash/);
});
