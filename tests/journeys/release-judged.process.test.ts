import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld, type World } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';

const START = '2026-05-04T10:00:00Z';
const LISTENERS = 100;
const ROUNDS_MAX = 40;

/** A business whose caps are released to half of the households first. */
async function startBusiness(
  t: TestContext,
  policy: { readonly guardrails: readonly object[]; readonly notify?: readonly object[] },
  options: Parameters<typeof startWorld>[1] = {},
) {
  let now = Temporal.Instant.from(START);
  const world = await startWorld(t, { ...options, clock: () => now });
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
      stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }],
      judging: { every: 'PT1S' },
      ...policy,
    },
  });
  return {
    world,
    now: () => now,
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

/** A webhook that collects the messages of a release. */
async function startReceiver(t: TestContext) {
  const messages: { readonly type: string; readonly policy: string; readonly message: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      messages.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, messages };
}

/** Every listener skips once; some of them ask for more than the cap allows. @returns the numbers of those in the cohort */
async function skipOnce({ call }: World, round: number): Promise<readonly number[]> {
  const seen = await Promise.all(
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
      const { status, text, json } = await call('POST', '/v1/consume', { body });
      assert.equal(status, 200, text);
      return json.snapshot.releases === undefined ? [] : [number];
    }),
  );
  return seen.flat();
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

/** Goes on in steps, with use in each, until the release has ended. */
async function goOn(
  { world, pass }: { readonly world: World; readonly pass: (ms: number) => void },
  stepMs: number,
  use: (round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await use(round);
    await unlessOver(world, ANSWERS, (round + 1) * LISTENERS);
    pass(stepMs);
    // Windows that are due are measured before more happens.
    if (round < 2) continue;
    const whole = Math.floor(((round + 1) * stepMs - LAG_MS_MAX) / stepMs) * stepMs;
    await unlessOver(world, MEASURED, Date.parse(START) + whole);
    const { metadata, spec } = await releaseNow(world);
    if (spec.open !== true) return;
    await judgedAlike(world, metadata.name);
  }
}

/** An open release has the verdicts of its windows as soon as the engine has looked at it. */
async function judgedAlike(world: World, name: string): Promise<void> {
  await until(async () => {
    const { verdicts } = await judgedAgain(world, name, {});
    const { spec, status } = await releaseNow(world);
    return spec.open !== true || isDeepStrictEqual(status.guardrails, verdicts) ? true : undefined;
  }, 'the same verdicts');
}

async function judgedAgain(world: World, name: string, spec: object) {
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'Judgement', spec };
  const path = `/apis/releases.backline.dev/v1/releases/${name}/judgement`;
  const answer = await world.call('POST', path, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status;
}

const ANSWERS = 'select coalesce(sum(answers), 0)::bigint as reached from backline.release_counts';
const EXPOSURES = "select count(*) as reached from backline.event_log where type = 'release-exposure'";
const DELIVERIES = "select count(*) as reached from backline.event_log where type = 'ad-delivery'";
const MEASURED = 'select coalesce(max(to_ms), 0)::bigint as reached from backline.release_intervals';
/** Measurements are at most this far behind. */
const LAG_MS_MAX = 25_000;

/** The release that a change of the cap makes, once its cohort has it. */
async function startRelease(world: World, limit: number): Promise<void> {
  await declare(world, cap(limit));
  await until(async () => {
    const release = await releaseNow(world);
    return release?.status.standing.state.seenMs === undefined ? undefined : true;
  }, 'its cohort');
}

async function rolledBack(world: World) {
  return until(async () => {
    const release = await releaseNow(world);
    return release.status.phase === 'RolledBack' ? release : undefined;
  }, 'the rollback');
}

/** Waits until a figure of the database is reached, or the release has ended. */
async function unlessOver(world: World, figure: string, wanted: number): Promise<void> {
  await until(async () => {
    const [row] = await world.database.query<{ reached: number }>(figure);
    if ((row?.reached ?? 0) >= wanted || (await releaseNow(world)).spec.open !== true) return true;
    return undefined;
  }, `${wanted}: ${figure}`);
}

test('a cap that denies its cohort more takes itself back, and tells by which numbers', async (t) => {
  const { url, messages } = await startReceiver(t);
  const business = await startBusiness(t, {
    guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
    notify: [{ type: 'webhook', url, on: ['rolledBack'] }],
  });
  const { world } = business;
  await startRelease(world, 3);
  await goOn(business, 10_000, async (round) => void (await skipOnce(world, round)));
  const { status, metadata } = await rolledBack(world);
  assert.match(
    status.message,
    /^Denials [\d.]+× those of stable (window by window )?\((in all )?\d+ % of [\d,]+ against [\d.]+ % of [\d,]+\)(, lately more)?: rolls back; evidence [\d,.]+ : 1, needed 20 : 1(; [^;]+)?\.$/,
  );
  const [verdict] = status.guardrails;
  assert.equal(verdict.outcome, 'fail');
  assert.ok(verdict.figures.candidate.bad > verdict.figures.stable.bad);
  // Judged anew, long after, it is the same; and asked for more certainty, another.
  const again = (spec: object) => judgedAgain(world, metadata.name, spec);
  const same = await again({});
  assert.deepEqual(same.verdicts, status.guardrails);
  const counted = same.windows.reduce(
    (sum: number, { reading }: { reading: { candidate: { bad: number } } }) => sum + reading.candidate.bad,
    0,
  );
  assert.equal(counted, verdict.figures.candidate.bad);
  const replay = async (...more: readonly string[]) => {
    const io = { ...fakeIo({}), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
    const ended = await runCommandLine(['release', 'judge', metadata.name, ...more], io);
    return { ended, ...io.written };
  };
  const replayed = await replay('--replay');
  assert.equal(replayed.ended, 0, replayed.stderr);
  const lines = replayed.stdout.trimEnd().split('\n');
  assert.equal(lines.length, same.windows.length + 2);
  assert.match(lines.at(-2) ?? '', /^20\S+ \S+ +denials +half +\d+\/\d+ +\d+\/\d+ +[\d.,]+ of 20 .* fail$/);
  assert.equal(lines.at(-1), 'The release has the same verdicts.');
  const lenient = await replay('--replay', '--guardrail', 'denials', '--margin', '15', '-o', 'json');
  assert.deepEqual([lenient.ended, JSON.parse(lenient.stdout).isAsStatus], [0, true], 'harm is harm by any margin');
  assert.match((await replay()).stdout, /^denials   fail   Denials /);
  const unknown = await replay('--guardrail', 'denial');
  assert.deepEqual([unknown.ended, /did you mean "denials"/.test(unknown.stderr)], [1, true]);
  assert.match((await replay('--margin', '1')).stderr, /above 1, and 20 at most/);
  const surer = await again({ guardrail: 'denials', judging: { alpha: 1e-12 } });
  assert.equal(surer.verdicts[0].outcome, 'undecided');
  const refused = await world.call('POST', `/apis/releases.backline.dev/v1/releases/${metadata.name}/judgement`, {
    body: { apiVersion: 'releases.backline.dev/v1', kind: 'Judgement', spec: { guardrail: 'denial' } },
  });
  assert.equal(refused.status, 404);
  assert.match(refused.json.message, /has no guardrail "denial" \(did you mean "denials"\?\)/);
  const message = await until(async () => messages[0], 'a message of the webhook');
  assert.deepEqual([message.type, message.policy, message.message], ['release.rolledBack', 'caps', status.message]);
  const { json } = await world.call('GET', '/apis/products.backline.dev/v1/namespaces/default/caps/skips-daily');
  assert.equal(json.spec.limit, 1_000, 'what was live before is declared again');
});

test('a change that makes its cohort skip more takes itself back by a declared Metric, over the files of events', async (t) => {
  const business = await startBusiness(
    t,
    { guardrails: [{ name: 'skips', metric: 'skipped', noWorse: { margin: 1.5 } }] },
    { roles: ['api', 'decide', 'ingest'], rollUpSeconds: 1 },
  );
  const { world, now } = business;
  const event = (kind: string, name: string, spec: object) => ({
    apiVersion: 'events.backline.dev/v1',
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  });
  const schema = { properties: {} };
  await declare(
    world,
    event('EventType', 'skip', { owner: 'o', purpose: 'tests', subject: 'required', retention: 'P30D', schema }),
    event('Metric', 'skipped', {
      title: 'Listeners who skip',
      owner: 'o',
      eventType: 'skip',
      type: 'proportion',
      direction: 'decrease',
    }),
  );
  await startRelease(world, 900);
  await goOn(business, 60_000, async (round) => {
    const inside = new Set(await skipOnce(world, round));
    const events = Array.from({ length: LISTENERS }, (_, number) => number)
      .filter((number) => (number * 7 + round) % 10 < (inside.has(number) ? 7 : 2))
      .map((number) => ({
        type: 'skip',
        id: `${number}-${round}`,
        at: now().toString(),
        subject: `listener-${number}`,
      }));
    const { status, text } = await world.call('POST', '/v1/events', { body: { events } });
    assert.equal(status, 200, text);
    await unlessOver(world, EXPOSURES, (round + 1) * LISTENERS);
  });
  const { status } = await rolledBack(world);
  assert.match(status.message, /^skips: Listeners who skip [\d.]+× those of stable .*: rolls back; evidence /);
});

test('a floor that leaves its cohort without paid ads takes itself back by what listeners heard', async (t) => {
  let now = Temporal.Instant.from(START);
  const world = await startWorld(t, { roles: ['api', 'decide', 'ingest'], rollUpSeconds: 1, clock: () => now });
  const pass = (ms: number) => {
    now = now.add({ milliseconds: ms });
  };
  await declareAds(world, [advertiserWithAd('acme')]);
  await declare(world, {
    apiVersion: 'events.backline.dev/v1',
    kind: 'Metric',
    metadata: { name: 'paid-ads', namespace: 'default' },
    spec: {
      title: 'Paid ads',
      owner: 'o',
      eventType: 'ad-delivery',
      type: 'count',
      filter: [{ field: 'outcome', equals: 'charged' }],
      direction: 'increase',
    },
  });
  await declare(world, {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'ReleasePolicy',
    metadata: { name: 'placements' },
    spec: {
      selector: { kinds: ['Placement'] },
      stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }],
      judging: { every: 'PT1S' },
      guardrails: [{ name: 'revenue', metric: 'paid-ads', noWorse: { margin: 1.5 } }],
    },
  });
  const path = '/apis/ads.backline.dev/v1/namespaces/default/placements/between-songs';
  const { json: before } = await world.call('GET', path);
  await declare(world, {
    apiVersion: before.apiVersion,
    kind: before.kind,
    metadata: { name: 'between-songs', namespace: 'default' },
    spec: { ...before.spec, floor: { cpm: '1000.00' } },
  });
  await until(async () => {
    const release = await releaseNow(world);
    return release?.status.standing.state.seenMs === undefined ? undefined : true;
  }, 'its cohort');

  let heard = 0;
  await goOn({ world, pass }, 60_000, async (round) => {
    const tokens = await Promise.all(
      Array.from({ length: LISTENERS }, async (_, number) => {
        const body = {
          placement: 'between-songs',
          listener: `listener-${number}`,
          plan: 'free',
          market: 'de',
          slots: 1,
        };
        const { status, text, json } = await world.call('POST', '/v1/ads/decide', { body });
        assert.equal(status, 200, text);
        return json.ads.map(({ token }: { token: string }) => token);
      }),
    );
    const events = tokens.flat().map((token) => ({ event: 'impression', token }));
    heard += events.length;
    const { status, text } = await world.call('POST', '/v1/ads/events', { body: { events } });
    assert.equal(status, 200, text);
    await unlessOver(world, EXPOSURES, (round + 1) * LISTENERS);
    await unlessOver(world, DELIVERIES, heard);
  });
  const { status } = await rolledBack(world);
  assert.match(status.message, /^revenue: Paid ads [\d.]+× those of stable .*: rolls back; evidence /);
  assert.ok(heard > 0, 'stable hears them');
  const { json: after } = await world.call('GET', path);
  assert.equal(after.spec.floor, undefined, 'what was live before is declared again');
});
