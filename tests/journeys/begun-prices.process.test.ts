import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startWorld, type World } from '../support/backline.ts';
import { market, plan, price } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';

const START = '2026-05-04T10:00:00Z';
const RISE = '2026-05-04T11:00:00Z';
const LATER = '2026-05-04T12:00:00Z';
const RELEASES = '/apis/releases.backline.dev/v1/releases';
const BEFORE = { from: '2026-01-01', amount: '10.00', currency: 'EUR' };

const premium = (...timeline: object[]) => price('premium-de', { plan: 'premium', market: 'de', timeline });

/** A business whose prices go to half of the households until somebody lets them go on, with a clock of its own. */
async function startBusiness(t: TestContext) {
  let now = Temporal.Instant.from(START);
  const world = await startWorld(t, { clock: () => now });
  await declare(world, market('de'), plan('premium'));
  await declare(world, {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'ReleasePolicy',
    metadata: { name: 'prices' },
    spec: { selector: { kinds: ['Price'] }, stages: [{ name: 'half', listeners: { percent: 50 }, promote: 'manual' }] },
  });
  return {
    world,
    travelTo: (instant: string) => {
      now = Temporal.Instant.from(instant);
    },
  };
}

async function declare({ call, running }: World, ...objects: object[]): Promise<string> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  await running.control?.releases()?.caughtUp();
  return answer.json.status.release;
}

async function tell({ call }: World, release: string, verb: string): Promise<void> {
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseCommand', metadata: {} };
  const answer = await call('POST', `${RELEASES}/${release}/${verb}`, { body });
  assert.equal(answer.status, 201, answer.text);
}

async function toEverybody(world: World, object: object): Promise<string> {
  const release = await declare(world, object);
  await untilPhase(world, `metadata.name=${release}`, 'Progressing');
  await tell(world, release, 'promote');
  await untilPhase(world, `metadata.name=${release}`, 'Promoted');
  return release;
}

async function untilPhase({ call }: World, selector: string, phase: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const { json } = await call('GET', `${RELEASES}?fieldSelector=${selector}`);
    const { status } = json.items[0] ?? {};
    if (status?.phase === phase) return;
    assert.ok(performance.now() < endMs, `waited for ${phase}: ${status?.phase} ${status?.message}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function declaredTimeline({ call }: World): Promise<unknown> {
  const { json } = await call('GET', '/apis/products.backline.dev/v1/namespaces/default/prices/premium-de');
  return json.spec?.timeline;
}

test('a price that has begun in its cohort is taken back: the past that nobody may edit keeps no release up', async (t) => {
  const { world, travelTo } = await startBusiness(t);
  await toEverybody(world, premium(BEFORE));
  const rise = await declare(world, premium(BEFORE, { from: RISE, amount: '12.00', currency: 'EUR' }));
  await untilPhase(world, `metadata.name=${rise}`, 'Progressing');
  travelTo(LATER);
  await tell(world, rise, 'rollback');
  await untilPhase(world, `metadata.name=${rise}`, 'RolledBack');
  assert.deepEqual(await declaredTimeline(world), [BEFORE]);
});

test('a price that everybody has had since it began is taken back', async (t) => {
  const { world, travelTo } = await startBusiness(t);
  await toEverybody(world, premium(BEFORE));
  const rise = await toEverybody(world, premium(BEFORE, { from: RISE, amount: '12.00', currency: 'EUR' }));
  travelTo(LATER);
  await tell(world, rise, 'rollback');
  await untilPhase(world, `spec.rollbackOf=${rise}`, 'Promoted');
  assert.deepEqual(await declaredTimeline(world), [BEFORE]);
});

test('a new price that has begun goes with the release that brought it', async (t) => {
  const { world } = await startBusiness(t);
  const release = await declare(world, premium(BEFORE));
  await untilPhase(world, `metadata.name=${release}`, 'Progressing');
  await tell(world, release, 'rollback');
  await untilPhase(world, `metadata.name=${release}`, 'RolledBack');
  assert.equal(await declaredTimeline(world), undefined);
});
