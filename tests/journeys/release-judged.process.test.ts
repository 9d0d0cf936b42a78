import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { startWorld, type World } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';

const START = '2026-05-04T10:00:00Z';
const STEP_MS = 10_000;
const LISTENERS = 60;
const ROUNDS_MAX = 40;

/** A business whose caps are released to half of the households first, with denials as the guardrail. */
async function startBusiness(t: TestContext, tellTo: string) {
  let now = Temporal.Instant.from(START);
  const world = await startWorld(t, { clock: () => now });
  await declare(
    world,
    market('de'),
    feature('skips', { type: 'metered', unit: 'skips' }),
    plan('free', { entitlements: [{ feature: 'skips', limit: 'unlimited' }] }),
    cap(1_000),
  );
  await declare(world, {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'ReleasePolicy',
    metadata: { name: 'caps' },
    spec: {
      selector: { kinds: ['Cap'] },
      stages: [{ name: 'half', percent: 50, soak: 'PT1M' }],
      guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
      judging: { every: 'PT1S' },
      notify: [{ type: 'webhook', url: tellTo, on: ['rolledBack'] }],
    },
  });
  return {
    world,
    pass: (ms: number) => {
      now = now.add({ milliseconds: ms });
    },
  };
}

function cap(limit: number): object {
  return {
    apiVersion: 'products.backline.dev/v1',
    kind: 'Cap',
    metadata: { name: 'skips-daily', namespace: 'default' },
    spec: { feature: 'skips', plans: ['free'], limit, window: { type: 'calendar', per: 'P1D' } },
  };
}

async function declare({ call, running }: World, ...objects: object[]): Promise<void> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  await running.control?.releases()?.caughtUp();
}

async function releaseNow({ call }: World) {
  const { json } = await call('GET', '/apis/releases.backline.dev/v1/releases');
  return json.items.find((one: { spec: { policy?: object } }) => one.spec.policy !== undefined);
}

/** Takes what a release tells. */
async function startReceiver(t: TestContext) {
  const told: { readonly type: string; readonly policy: string; readonly message: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      told.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, told };
}

/** Every listener skips once; of everybody some ask for more than anybody may have. */
async function skipOnce({ call }: World, round: number): Promise<void> {
  await Promise.all(
    Array.from({ length: LISTENERS }, async (_, number) => {
      const amount = (number + round) % 20 === 0 ? 2_000 : 1;
      const body = {
        listener: `listener-${number}`,
        plan: 'free',
        market: 'de',
        feature: 'skips',
        amount,
        key: `${number}-${round}`,
      };
      const { status, text } = await call('POST', '/v1/consume', { body });
      assert.equal(status, 200, text);
    }),
  );
}

/** Waits for what comes by itself. */
async function until<Found>(look: () => Promise<Found | undefined>, what: string): Promise<Found> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(performance.now() < endMs, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Goes on in steps of ten seconds, with use in each, until the release has come to its end. */
async function goOn(world: World, pass: (ms: number) => void): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await skipOnce(world, round);
    await unlessOver(
      world,
      'select coalesce(sum(answers), 0)::bigint as reached from backline.release_counts',
      (round + 1) * LISTENERS,
    );
    pass(STEP_MS);
    // What is due now is measured before more happens.
    if (round < 2) continue;
    const measured = 'select coalesce(max(to_ms), 0)::bigint as reached from backline.release_intervals';
    await unlessOver(world, measured, Date.parse(START) + round * STEP_MS);
    if ((await releaseNow(world)).spec.open !== true) return;
  }
}

/** Waits until a figure of the database is reached, or the release has come to its end. */
async function unlessOver(world: World, figure: string, wanted: number): Promise<void> {
  await until(async () => {
    const [row] = await world.database.query<{ reached: number }>(figure);
    if ((row?.reached ?? 0) >= wanted || (await releaseNow(world)).spec.open !== true) return true;
    return undefined;
  }, `${wanted}: ${figure}`);
}

test('a cap that denies its cohort more takes itself back, and tells by which numbers', async (t) => {
  const { url, told } = await startReceiver(t);
  const { world, pass } = await startBusiness(t, url);
  await declare(world, cap(3));
  await until(async () => ((await releaseNow(world))?.status.phase === 'Progressing' ? true : undefined), 'a release');
  await until(
    async () => ((await releaseNow(world)).status.standing.state.seenMs !== undefined ? true : undefined),
    'its cohort',
  );
  await goOn(world, pass);
  const { status, metadata } = await until(async () => {
    const release = await releaseNow(world);
    return release.status.phase === 'RolledBack' ? release : undefined;
  }, 'the rollback');
  assert.match(
    status.message,
    /^denials: Denials [\d.]+× those of stable \(\d+ % of [\d,]+ against [\d.]+ % of [\d,]+\)(, lately more)?: rolls back; evidence [\d,.]+ : 1, needed 20 : 1\.$/,
  );
  const [verdict] = status.guardrails;
  assert.equal(verdict.outcome, 'fail');
  assert.ok(verdict.figures.candidate.bad > verdict.figures.stable.bad);
  // Judged anew, long after, it is the same; and asked for more certainty, another.
  const again = async (spec: object) => {
    const path = `/apis/releases.backline.dev/v1/releases/${metadata.name}/judgement`;
    const body = { apiVersion: 'releases.backline.dev/v1', kind: 'Judgement', spec };
    const answer = await world.call('POST', path, { body });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.status;
  };
  const same = await again({});
  assert.deepEqual(same.verdicts, status.guardrails);
  const counted = same.windows.reduce(
    (sum: number, { reading }: { reading: { candidate: { bad: number } } }) => sum + reading.candidate.bad,
    0,
  );
  assert.equal(counted, verdict.figures.candidate.bad);
  const surer = await again({ guardrail: 'denials', judging: { alpha: 1e-12 } });
  assert.equal(surer.verdicts[0].outcome, 'undecided');
  const refused = await world.call('POST', `/apis/releases.backline.dev/v1/releases/${metadata.name}/judgement`, {
    body: { apiVersion: 'releases.backline.dev/v1', kind: 'Judgement', spec: { guardrail: 'denial' } },
  });
  assert.equal(refused.status, 404);
  assert.match(refused.json.message, /has no guardrail "denial" \(did you mean "denials"\?\)/);
  const message = await until(async () => told[0], 'somebody to be told');
  assert.deepEqual([message.type, message.policy, message.message], ['release.rolledBack', 'caps', status.message]);
  const { json } = await world.call('GET', '/apis/products.backline.dev/v1/namespaces/default/caps/skips-daily');
  assert.equal(json.spec.limit, 1_000, 'what was live before is declared again');
});
