import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { attributeTable } from '#kernel/audiences/language/attributes.ts';
import { startDatabase } from '#tests/support/database.ts';
import type { BreakQuestion } from '../decisions/decide.ts';
import { openBreakSamples, SAMPLE_LIMITS } from './break-samples.ts';

const NOW_MS = Date.UTC(2026, 11, 8, 12);
const DAY_MS = 86_400_000;
const ATTRIBUTES = attributeTable([{ name: 'age', spec: { type: 'number' } }] as never);
const questionOf = (age: number, { nowMs = NOW_MS, personal = true } = {}): BreakQuestion =>
  ({
    placement: { name: 'songs' },
    nowMs,
    rules: { permission: { personal } },
    context: { age, secret: 'x', targetingKey: 'ann' },
  }) as unknown as BreakQuestion;

test('samples of several nodes are one even sample, without ids, and every break is counted', async () => {
  await using world = await startDatabase();
  const nodes = [1, 2].map((seed) => openBreakSamples(world.database, seedRandom(seed)));
  const perNode = 3 * SAMPLE_LIMITS.perDay;
  // The second node has the older listeners; writes alternate.
  for (let round = 0; round < 10; round += 1) {
    for (const [index, node] of nodes.entries()) {
      for (let each = 0; each < perNode / 10; each += 1) node.add(questionOf(index === 0 ? 20 : 60), ATTRIBUTES);
      await node.flush();
    }
  }
  const [node] = nodes;
  await node?.refresh(NOW_MS);
  const [day, ...others] = node?.week(NOW_MS)?.days ?? [];
  assert.deepEqual([others.length, day?.breaks, day?.contexts.length], [0, 2 * perNode, SAMPLE_LIMITS.perDay]);
  const older = day?.contexts.filter((context) => context?.['age'] === 60).length ?? 0;
  // Five standard deviations.
  assert.ok(Math.abs(older - SAMPLE_LIMITS.perDay / 2) < 112, `${older} of ${SAMPLE_LIMITS.perDay}`);
  assert.deepEqual(new Set(day?.contexts.flatMap((context) => Object.keys(context ?? {}))), new Set(['age']));
});

test('nothing is kept of listeners who permit less, and old days are dropped', async () => {
  await using world = await startDatabase();
  const node = openBreakSamples(world.database, seedRandom(1));
  node.add(questionOf(20, { personal: false }), ATTRIBUTES);
  node.add(questionOf(20, { nowMs: NOW_MS - 9 * DAY_MS }), ATTRIBUTES);
  await node.flush();
  const rows = await world.database.query<{ context: object | null }>(
    'select context from backline.ad_break_samples order by day desc',
  );
  assert.deepEqual(
    rows.map(({ context }) => context),
    [null, { age: 20 }],
  );
  await node.tidy(NOW_MS);
  for (const table of ['ad_break_days', 'ad_break_samples'])
    assert.equal((await world.database.query(`select 1 from backline.${table}`)).length, 1);
});

test('breaks that cannot be written are kept for the next time', async () => {
  await using world = await startDatabase();
  const node = openBreakSamples(world.database, seedRandom(1));
  node.add(questionOf(20), ATTRIBUTES);
  await world.database.query('alter table backline.ad_break_days rename to elsewhere');
  await assert.rejects(node.flush());
  await world.database.query('alter table backline.elsewhere rename to ad_break_days');
  node.add(questionOf(30), ATTRIBUTES);
  await node.flush();
  await node.flush();
  await node.refresh(NOW_MS);
  const [day] = node.week(NOW_MS)?.days ?? [];
  assert.deepEqual([day?.breaks, day?.contexts.length], [2, 2]);
});
