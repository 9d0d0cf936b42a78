import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  apply,
  inPhase,
  inStage,
  policyNamed,
  startAria,
  command,
  untilRelease,
  withoutGuardrails,
} from '../support/aria-releases.ts';
import { example, PEOPLE, until, type Installation, type Json } from '../support/installation.ts';

const { ann, bob, cem } = PEOPLE;
const NAMESPACE = '/apis/products.backline.dev/v1/namespaces/aria';
const PINS = '/apis/releases.backline.dev/v1/pins';
const FREEZES = '/apis/releases.backline.dev/v1/freezes';

/** Every listener without a paid plan skips four times; the cap allows six an hour, or one. */
async function skipRound({ ask }: Installation, round: number): Promise<void> {
  const listeners = Array.from({ length: 150 }, (_, number) => `r${round}-${number}`);
  await Promise.all(
    listeners.map(async (listener) => {
      for (let skip = 0; skip < 4; skip += 1) {
        const body = { listener, plan: 'free', market: 'us', feature: 'skips', amount: 1, key: `${listener}-${skip}` };
        const { status, text } = await ask('POST', '/v1/consume', { body });
        assert.equal(status, 200, text);
      }
    }),
  );
}

test('a cap that is too tight takes itself back, is refused until it is unpinned, and then goes again', async (t) => {
  const aria = await startAria(t);
  const tight = await example('tight-skips');
  const name = await apply(aria, tight);
  await untilRelease(aria, name, inStage('tenth'));
  let isOver = false;
  const ended = untilRelease(aria, name, ({ spec }) => !spec.open, 120).finally(() => {
    isOver = true;
  });
  for (let round = 0; !isOver; round += 1) {
    await skipRound(aria, round);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const { status } = await ended;
  assert.equal(status.phase, 'RolledBack');
  assert.match(status.message, /^Denials .*: rolls back; evidence .* : 1, needed 20 : 1/);
  const cap = await aria.call('GET', `${NAMESPACE}/caps/skips-hourly`);
  assert.deepEqual([cap.json.spec.limit, cap.json.metadata.labels], [undefined, undefined], 'as it was before');

  const again = await aria.declare(tight, ann);
  assert.equal(again.status, 409, again.text);
  assert.match(
    again.json.message,
    new RegExp(`Cap "skips-hourly" is pinned by system:releases after release ${name} was rolled back`),
  );
  assert.match(again.text, new RegExp(`backline release unpin ${name}`));
  const pins = (await aria.call('GET', PINS)).json.items;
  assert.deepEqual(
    pins.map(({ metadata }: Json) => metadata.name),
    [`${name}.caps.products.backline.dev.skips-hourly`],
  );

  await command(aria, name, 'unpin', {}, ann);
  const second = await apply(aria, tight, ann);
  assert.notEqual(second, name);
  await untilRelease(aria, second, inStage('tenth'));
});

test('a plan, its price and its flag wait for two others than the author, go out as one, and come back as one', async (t) => {
  const aria = await startAria(t);
  const launch = await example('launch');
  const name = await apply(aria, launch, ann);
  const { spec } = await untilRelease(aria, name, inPhase('AwaitingApproval'));
  assert.deepEqual(
    spec.objects.map(({ kind, name: object }: Json) => `${kind.split('/')[1]} ${object}`),
    ['Flag early-bird', 'Plan early', 'Price early-de-monthly'],
  );
  assert.deepEqual([spec.authors, spec.policy.name], [['ann'], 'plans']);

  const own = await aria.tell(name, 'approve', {}, ann);
  assert.equal(own.status, 409, own.text);
  assert.match(own.json.message, /ann made the change/);
  await command(aria, name, 'approve', { planHash: spec.planHash }, bob);
  const twice = await aria.tell(name, 'approve', {}, bob);
  assert.equal(twice.status, 409, twice.text);
  assert.deepEqual(await live(aria), { plan: 422, flag: 404 }, 'one of two is not enough');
  await command(aria, name, 'approve', { planHash: spec.planHash }, cem);
  await untilRelease(aria, name, inPhase('Promoted'));
  await untilLive(aria, { plan: 200, flag: 200 });

  await command(aria, name, 'rollback', { reason: 'Nobody gets up so early.' }, bob);
  await untilLive(aria, { plan: 422, flag: 404 });
  for (const path of [`${NAMESPACE}/plans/early`, `${NAMESPACE}/prices/early-de-monthly`]) {
    await until(
      async () => ((await aria.call('GET', path)).status === 404 ? true : undefined),
      () => `${path} to be gone`,
    );
  }
  const again = await aria.declare(launch, ann);
  assert.equal(again.status, 409, again.text);
  assert.match(again.json.message, /is pinned by bob after release .* was rolled back: Nobody gets up so early\./);
});

/** Status codes of the decision node for the plan and the flag. */
async function live({ ask }: Installation): Promise<{ plan: number; flag: number }> {
  const plan = await ask('GET', '/v1/prices?market=de&plan=early&listener=somebody');
  const flag = await ask('POST', '/ofrep/v1/evaluate/flags/early-bird', {
    body: { context: { targetingKey: 'somebody' } },
  });
  return { plan: plan.status, flag: flag.status };
}

async function untilLive(aria: Installation, wanted: { plan: number; flag: number }): Promise<void> {
  let last: unknown;
  await until(
    async () => {
      const seen = await live(aria);
      last = seen;
      return seen.plan === wanted.plan && seen.flag === wanted.flag ? true : undefined;
    },
    () => `${JSON.stringify(wanted)}, still ${JSON.stringify(last)}`,
  );
}

test('a freeze holds what would reach somebody new, and neither an abort nor a rollback', async (t) => {
  const aria = await startAria(t);
  const held = await apply(aria, [withoutGuardrails(await policyNamed('prices'))]).then(async () =>
    apply(aria, await example('price-rise')),
  );
  await untilRelease(aria, held, inStage('hundredth'));
  const now = Temporal.Now.zonedDateTimeISO('UTC').round({ smallestUnit: 'hour', roundingMode: 'floor' });
  const local = (hours: number) => now.add({ hours }).toPlainDateTime().toString({ smallestUnit: 'minute' });
  const freeze = {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'Freeze',
    metadata: { name: 'this-hour' },
    spec: { timeZone: 'UTC', start: local(0), end: local(2), reason: 'A night.', owner: 'growth' },
  };
  await apply(aria, [freeze]);
  const { status } = await untilRelease(aria, held, ({ status: seen }) => seen.held !== undefined);
  assert.match(status.message, /^Freeze this-hour holds until .*: A night\. \(growth\)$/);
  const waiting = await apply(aria, await example('tight-skips'));
  await untilRelease(aria, waiting, ({ status: seen }) => seen.held !== undefined);
  assert.equal((await aria.release(held)).status.stage, 'hundredth', 'it goes no further');

  await command(aria, waiting, 'abort', { reason: 'Not now.' });
  await untilRelease(aria, waiting, inPhase('Aborted'));
  const cap = await aria.call('GET', `${NAMESPACE}/caps/skips-hourly`);
  assert.equal(cap.json.spec.limit, undefined, 'what was live is declared again');
  await command(aria, held, 'rollback', { reason: 'Not at night.' });
  await untilRelease(aria, held, inPhase('RolledBack'));

  await command(aria, held, 'unpin');
  const next = await apply(aria, await example('price-rise'));
  await untilRelease(aria, next, ({ status: seen }) => seen.held !== undefined);
  await aria.call('DELETE', `${FREEZES}/this-hour`);
  await untilRelease(aria, next, inPhase('Promoted'));
});

test('SIGKILL of the process that runs releases, in every stage and while it takes back, changes no outcome', async (t) => {
  const aria = await startAria(t);
  const policy = withoutGuardrails(await policyNamed('prices'));
  // A second more, so that no stage is over before it was killed in.
  const stages = policy.spec.stages.map((stage: object) => ({ ...stage, soak: 'PT2S' }));
  await apply(aria, [{ ...policy, spec: { ...policy.spec, stages } }]);
  const rise = await example('price-rise');
  const good = await apply(aria, rise);
  for (const stage of ['hundredth', 'tenth']) {
    await untilRelease(aria, good, inStage(stage));
    await aria.killEngine();
  }
  await untilRelease(aria, good, ({ status }) => ['Promoting', 'Promoted'].includes(status.phase));
  await aria.killEngine();
  const { status } = await untilRelease(aria, good, inPhase('Promoted'));
  const phases = status.history.map(({ phase, message }: Json) =>
    phase === 'Progressing' ? message.split(':')[0] : phase,
  );
  assert.deepEqual(
    [...new Set(phases)],
    ['Waiting', 'hundredth', 'tenth', 'Promoting', 'Promoted'],
    JSON.stringify(phases),
  );
  const told2030 = async () => {
    const { json } = await aria.ask('GET', '/v1/prices?market=us&plan=premium&interval=P1M&channel=web&at=2030-02-01');
    return json.prices?.[0]?.amount;
  };
  await until(
    async () => ((await told2030()) === '13.99' ? true : undefined),
    () => 'the new price',
  );

  const slip = await apply(aria, await example('price-slip'));
  await untilRelease(aria, slip, inStage('hundredth'));
  await command(aria, slip, 'rollback', { reason: 'A slip.' });
  await aria.killEngine();
  await untilRelease(aria, slip, inPhase('RolledBack'));
  const price = await aria.call('GET', `${NAMESPACE}/prices/premium-us-monthly`);
  assert.equal(price.json.spec.timeline.at(-1).amount, '13.99', 'what was live before is declared again');
  assert.equal(await told2030(), '13.99');
  const again = await aria.declare(await example('price-slip'));
  assert.equal(again.status, 409, again.text);
});
