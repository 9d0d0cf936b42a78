import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { startDatabase } from '#tests/support/database.ts';
import { cachedSubjects } from './cached-subjects.ts';
import type { SubjectStore, TermsWrite } from './contract.ts';
import { subjectStore } from './subjects.ts';

const NOW = Temporal.Instant.from('2026-11-22T12:00:00Z');
const anchor = { wallTime: '2026-11-22T13:00:00', zone: 'Europe/Stockholm' };
let keys = 0;
const write = (): TermsWrite => ({
  by: 'client:shop',
  path: '/v1/test',
  key: `key-${(keys += 1)}`,
  request: {},
  movesOf: () => [],
});

test('facts are read once, and anew after a change by any process, an erasure of who pays included', async (t) => {
  const { database, [Symbol.asyncDispose]: stop } = await startDatabase();
  let reads = 0;
  const plain = subjectStore(database, () => NOW);
  const counting: SubjectStore = {
    ...plain,
    facts: (listener) => {
      reads += 1;
      return plain.facts(listener);
    },
  };
  const cached = cachedSubjects(counting, database, openLog('silent'));
  t.after(async () => {
    await cached.close();
    await stop();
  });
  const planOf = async (listener: string) => (await cached.facts(listener)).subscription?.plan;
  // The cache is off until LISTEN works.
  const endMs = performance.now() + 5_000;
  for (let before = -1; before !== reads && performance.now() < endMs;) {
    before = reads;
    await planOf('warm');
    await new Promise((done) => setTimeout(done, 20));
  }
  const start = reads;
  for (let time = 0; time < 10; time += 1) assert.equal(await planOf('anna'), undefined);
  assert.equal(reads, start + 1);
  assert.deepEqual(cached.factsNow('anna'), await plain.facts('anna'), 'without a record it is known at once');

  const terms = { title: 'Ten', priority: 300, whileLapsed: 'suspended' } as const;
  const topUp = { addOn: 'ten', feature: 'books', amount: 600, validUntilMs: undefined, anchor: undefined, terms };
  await cached.grant('anna', write(), () => topUp);
  assert.equal(cached.factsNow('anna'), undefined);
  assert.equal((await cached.facts('anna')).grants.length, 1, 'what was changed here is seen here at once');

  // Stands for another process.
  const wish = (plan: string) => () => ({ plan, market: 'se', role: 'manager', anchor });
  const { id } = await plain.subscribe('anna', write(), wish('family'));
  await until(async () => (await planOf('anna')) === 'family');
  await plain.addMember(id, 'bo', write(), () => ({ role: 'member', seats: 6 }));
  await until(async () => (await planOf('bo')) === 'family');
  await plain.changePlan(id, write(), () => ({ plan: 'duo', role: 'manager' }));
  await until(async () => (await planOf('bo')) === 'duo');
  await plain.erase('anna');
  await until(async () => (await planOf('bo')) === undefined);

  // While LISTEN is down the cache is off; afterwards missed changes are visible.
  await planOf('cy');
  await database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' and datname = current_database()",
  );
  await plain.subscribe('cy', write(), wish('free'));
  await until(async () => (await planOf('cy')) === 'free');
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > endMs) assert.fail('waited in vain');
    await new Promise((done) => setTimeout(done, 10));
  }
}
