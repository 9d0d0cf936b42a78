import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededChance } from '../support/chance.ts';
import { startDatabase } from '../support/database.ts';
import { torture } from './torture.ts';

const seconds = Number(process.env['TORTURE_SECONDS'] ?? 10);

test('three API processes under fire: one order for every watcher, nothing acknowledged lost, nothing done twice', async (t) => {
  await using database = await startDatabase();
  const { between } = seededChance(t);
  const result = await torture({
    databaseUrl: database.url,
    seconds,
    chance: () => between(0, 999_999) / 1_000_000,
    say: (line) => t.diagnostic(line),
  });
  t.diagnostic(`${result.acknowledged} acknowledged, ${result.unknown} not, ${result.watched} events watched`);
  assert.ok(result.acknowledged > 50, 'writes went on');
  assert.ok(result.faults.length > 3, 'faults happened');
});
