import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#kernel/base/clock.ts';
import { simulateListeners } from '#simulation/run.ts';
import { apply, declareAria, inStage, policyNamed, untilRelease } from '../support/aria-releases.ts';
import { startWorld } from '../support/backline.ts';
import { example, officeOf, until, type Json } from '../support/installation.ts';

/** Seconds of the clock in one second: Metrics are measured in whole minutes, and harm is found after three of them. */
const CLOCK_FACTOR = 6;
/** A hundred visits of the shop a second, ten for each session: a thousand in each minute of that clock. */
const SIMULATION = { listeners: 20_000, seed: 1, sessionsPerSecond: 10 } as const;
const EVIDENCE_SECONDS = 150;

function fastClock(): Clock {
  const origin = Temporal.Now.instant();
  const beganMs = performance.now();
  return () => origin.add({ milliseconds: Math.round((performance.now() - beganMs) * CLOCK_FACTOR) });
}

/** Prices of the sample, with another amount that starts in a few seconds. */
async function raisePrices(
  now: Temporal.Instant,
  file: string,
  changes: Readonly<Record<string, string>>,
): Promise<Json[]> {
  const from = now.add({ seconds: 20 }).toString({ smallestUnit: 'second' });
  return (await example(`aria/products/${file}.yaml`))
    .filter(({ metadata }) => metadata.name in changes)
    .map((price) => {
      const { timeline } = price.spec;
      const amount = changes[price.metadata.name];
      const labels = { releases: 'staged' };
      const rise = { from, amount, currency: timeline[0].currency };
      return {
        ...price,
        metadata: { ...price.metadata, labels },
        spec: { ...price.spec, timeline: [...timeline, rise] },
      };
    });
}

test('a price rise in three markets goes to 1 %, 10 %, everybody; one that sells less takes itself back meanwhile', async (t) => {
  const clock = fastClock();
  const world = await startWorld(t, { clock, roles: ['api', 'decide', 'ingest'], rollUpSeconds: 1 });
  const aria = officeOf(world.call, world.call);
  await declareAria(aria);
  const { spec, ...policy } = await policyNamed('prices');
  // Surer than the sample is: chance alone makes one of a thousand runs end otherwise.
  await apply(aria, [{ ...policy, spec: { ...spec, judging: { ...spec.judging, alpha: 0.001, beta: 0.01 } } }]);
  const names = ['us', 'gb', 'in'];
  const rise = await apply(
    aria,
    await raisePrices(clock(), 'prices-premium', {
      'premium-us-monthly': '13.99',
      'premium-gb-monthly': '13.99',
      'premium-in-monthly': '149',
    }),
  );
  const bad = await apply(
    aria,
    await raisePrices(clock(), 'prices-family', {
      'family-us-monthly': '27.99',
      'family-gb-monthly': '27.99',
      'family-in-monthly': '299',
    }),
  );
  const effects = [{ release: bad, on: 'conversions', factor: 0.1 }] as const;
  const closing = new AbortController();
  const { connection } = world;
  const simulation = simulateListeners({ ...SIMULATION, connection, effects, clock, signal: closing.signal });
  t.after(async () => {
    closing.abort();
    await simulation;
  });
  for (const name of [rise, bad]) await untilRelease(aria, name, inStage('tenth'));
  const cohortPays = async () => {
    const amounts = new Set<string>();
    for (let listener = 0; listener < 100; listener += 1) {
      const { json } = await aria.ask(
        'GET',
        `/v1/prices?market=us&plan=premium&interval=P1M&channel=web&listener=l${listener}`,
      );
      amounts.add(json.prices[0].amount);
    }
    return [...amounts].sort();
  };
  await until(
    async () => ((await cohortPays()).length === 2 ? true : undefined),
    () => 'a tenth to pay more',
  );
  assert.deepEqual(await cohortPays(), ['12.99', '13.99']);

  const [promoted, taken] = await Promise.all([
    untilRelease(aria, rise, ({ spec: { open } }) => !open, EVIDENCE_SECONDS),
    untilRelease(aria, bad, ({ spec: { open } }) => !open, EVIDENCE_SECONDS),
  ]);
  assert.equal(promoted.status.phase, 'Promoted', promoted.status.message);
  const [verdict] = promoted.status.guardrails;
  assert.deepEqual([verdict.name, verdict.outcome], ['conversions', 'pass'], verdict.because);
  assert.ok(verdict.figures.safety.value >= 100, 'on evidence');
  assert.equal(taken.status.phase, 'RolledBack', taken.status.message);
  assert.match(taken.status.message, /^(conversions: )?Listeners who bought 0\.\d+× those of stable .*: rolls back;/);
  for (const market of names) {
    await until(
      async () => {
        const { json } = await aria.ask('GET', `/v1/prices?market=${market}&plan=premium&interval=P1M&channel=web`);
        return ['13.99', '149.00'].includes(json.prices[0].amount) ? true : undefined;
      },
      () => `everybody in ${market} to pay the new price`,
    );
  }
  const family = await aria.ask('GET', '/v1/prices?market=us&plan=family&interval=P1M&channel=web&listener=l1');
  assert.equal(family.json.prices[0].amount, '20.99', 'as if it had never been');
});
