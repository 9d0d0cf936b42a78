import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { startDatabase, type TestDatabase } from '#tests/support/database.ts';
import type { AdEvent } from '../rules/ad-events.ts';
import { newDecisionId, TOKEN_LIMITS, type AdToken } from '../serving/ad-token.ts';
import { openDeliveries, readEvidence } from './deliveries.ts';

const MONEY = { currency: 'EUR', account: 'd/a', zone: 'UTC', limits: [], isEven: false, version: '1' };
const SECRET = Buffer.alloc(32, 7);
const BEGIN = Temporal.Instant.from('2026-11-30T12:00:00Z');

interface Stage extends AsyncDisposable {
  readonly count: (event: AdEvent, token: AdToken, node?: number) => Promise<string>;
  readonly settle: (node?: number) => ReturnType<ReturnType<typeof openDeliveries>['settle']>;
  readonly tidy: () => Promise<void>;
  readonly erase: (listener: string) => Promise<number>;
  /** `event:state` of one ad. */
  readonly states: (token: AdToken) => Promise<string>;
  readonly pass: (ms: number) => void;
  readonly token: (more?: Partial<AdToken>) => AdToken;
  readonly database: TestDatabase['database'];
}

function tokenAt(nowMs: number, more: Partial<AdToken> = {}): AdToken {
  return {
    decision: newDecisionId(),
    place: 0,
    ad: 'd/a.ad',
    adSet: 'd/a.set',
    campaign: 'd/a.c',
    advertiser: 'd/a',
    placement: 'break',
    subject: { listener: 'ann', market: 'de' },
    adFreeFeature: 'ad-free',
    goal: 'cpm',
    micros: 12_500,
    currency: 'EUR',
    slice: 'slice-1',
    reservedUntilMs: nowMs + 600_000,
    issuedMs: nowMs,
    expiresMs: nowMs + TOKEN_LIMITS.lifetimeMs,
    seconds: 30,
    mayProfile: true,
    ...more,
  };
}

/** Two processes on one database, at a time that the test moves. */
async function startStage(chargeLate: (key: string) => boolean = () => false): Promise<Stage> {
  const { database, [Symbol.asyncDispose]: dispose } = await startDatabase();
  let now = BEGIN;
  const late = async (_adSet: object, _micros: number, key: string) => chargeLate(key);
  const parts = { database, clock: () => now, chargeLate: late, secret: SECRET, log: openLog('silent') };
  const nodes = [openDeliveries(parts), openDeliveries(parts)] as const;
  const nodeAt = (node: number) => nodes[node % 2] as (typeof nodes)[0];
  return {
    database,
    count: (event, token, node = 0) => nodeAt(node).count({ event, token, money: MONEY }),
    settle: (node = 0) => nodeAt(node).settle(),
    tidy: () => nodes[0].tidy(),
    erase: (listener) => nodes[0].erasers[0]?.erase(listener) ?? Promise.resolve(0),
    states: async ({ decision, place }) => {
      const rows = await database.query<{ event: string; state: string }>({
        text: 'select event, state from backline.ad_deliveries where decision = $1 and place = $2 order by event',
        values: [decision, place],
      });
      return rows.map(({ event, state }) => `${event}:${state}`).join(' ');
    },
    pass: (ms) => {
      now = now.add({ milliseconds: ms });
    },
    token: (more = {}) => tokenAt(now.epochMilliseconds, more),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => node.close()));
      await dispose();
    },
  };
}

test('of 200 reports of one impression at once, over two processes, exactly one counts and is charged', async () => {
  await using stage = await startStage();
  const token = stage.token();
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, at) => stage.count('impression', token, at)));
  assert.equal(outcomes.filter((outcome) => outcome === 'counted').length, 1);
  assert.equal(outcomes.filter((outcome) => outcome === 'duplicate').length, 199);
  assert.equal(await stage.states(token), 'impression:charged');
  stage.pass(3_600_000);
  assert.equal(await stage.count('impression', token), 'duplicate');
});

test('the event of the goal is charged, and no other', async () => {
  await using stage = await startStage();
  const played = ['impression', 'start', 'click', 'complete'] as const;
  const paid = { cpm: 'impression', cpc: 'click', cpcv: 'complete' } as const;
  for (const goal of ['cpm', 'cpc', 'cpcv'] as const) {
    const token = stage.token({ goal });
    for (const event of played) assert.equal(await stage.count(event, token), 'counted');
    const states = Object.fromEntries((await stage.states(token)).split(' ').map((one) => one.split(':')));
    assert.deepEqual(
      states,
      Object.fromEntries(played.map((event) => [event, event === paid[goal] ? 'charged' : 'none'])),
    );
  }
  const free = stage.token({ micros: 0 });
  await stage.count('impression', free);
  assert.equal(await stage.states(free), 'impression:none', 'what costs nothing is not charged');
});

test('events that one group takes together count in the order of a play', async () => {
  await using stage = await startStage();
  const token = stage.token({ goal: 'cpcv' });
  const backwards = ['complete', 'thirdQuartile', 'start', 'impression'] as const;
  const outcomes = await Promise.all(backwards.map((event) => stage.count(event, token)));
  assert.deepEqual(new Set(outcomes), new Set(['counted']));
});

test('a completion that overtakes start and impression waits for them, and is charged then', async () => {
  await using stage = await startStage();
  const token = stage.token({ goal: 'cpcv' });
  assert.equal(await stage.count('complete', token), 'held');
  assert.equal(await stage.count('complete', token, 1), 'duplicate');
  assert.equal(await stage.count('start', token, 1), 'held');
  await stage.settle();
  assert.equal(await stage.states(token), 'complete:held start:held', 'nothing counts before the impression');
  stage.pass(3_000);
  assert.equal(await stage.count('impression', token), 'counted');
  const settled = await Promise.all([stage.settle(0), stage.settle(1)]);
  assert.equal(await stage.states(token), 'complete:charged impression:none start:none');
  assert.equal(
    settled.reduce((sum, one) => sum + one.released.length, 0),
    2,
    'each is released once',
  );
});

test('a completion without a start, and a start without an impression, are dropped after a minute', async () => {
  await using stage = await startStage();
  const [one, two] = [stage.token({ goal: 'cpcv' }), stage.token({ goal: 'cpcv' })];
  await stage.count('impression', one);
  assert.equal(await stage.count('complete', one), 'held');
  assert.equal(await stage.count('start', two), 'held');
  stage.pass(61_000);
  const { released, dropped } = await stage.settle();
  assert.deepEqual([released, dropped.toSorted()], [[], ['complete', 'start']]);
  assert.equal(await stage.count('impression', two), 'counted');
  await stage.settle();
  assert.equal(await stage.states(one), 'impression:none');
  assert.equal(await stage.states(two), 'impression:none');
});

test('an impression hours later brings back none of what waited for it', async () => {
  await using stage = await startStage();
  const token = stage.token();
  await stage.count('start', token);
  stage.pass(3_600_000);
  assert.equal(await stage.count('impression', token), 'counted');
  await stage.settle();
  assert.equal(await stage.states(token), 'impression:free');
});

test('the time of the database alone decides what has expired, and what is still reserved', async () => {
  await using stage = await startStage((key) => key.endsWith('.0.impression'));
  const token = stage.token();
  stage.pass(584_999);
  assert.equal(await stage.count('impression', token), 'counted');
  assert.equal(await stage.states(token), 'impression:charged');
  const [room, none] = [stage.token(), stage.token({ place: 1 })];
  stage.pass(585_000);
  for (const one of [room, none]) assert.equal(await stage.count('impression', one), 'counted');
  assert.deepEqual([await stage.states(room), await stage.states(none)], ['impression:late', 'impression:late']);
  assert.deepEqual(await stage.settle(), { released: [], dropped: [], charged: 1, free: 1 });
  assert.deepEqual([await stage.states(room), await stage.states(none)], ['impression:charged', 'impression:free']);
  assert.deepEqual(await readEvidence(stage.database, ['slice-1', 'slice-2']), new Map([['slice-1', 12_500]]));
  const old = stage.token();
  stage.pass(TOKEN_LIMITS.lifetimeMs);
  assert.equal(await stage.count('impression', old), 'expired');
  // Also where it is reported many times at once, and one group takes several of them.
  const many = await Promise.all(Array.from({ length: 20 }, () => stage.count('impression', old)));
  assert.deepEqual(new Set(many), new Set(['expired']));
  assert.equal(await stage.states(old), '');
});

test('without a clock of a test, the database says what time it is, whatever the sender of the token thought', async () => {
  await using stage = await startStage();
  const nodes = openDeliveries({
    database: stage.database,
    clock: undefined,
    chargeLate: async () => false,
    secret: SECRET,
    log: openLog('silent'),
  });
  const day = 24 * 3_600_000;
  const at = (ms: number) => ({ expiresMs: Date.now() + ms, reservedUntilMs: Date.now() + ms });
  assert.equal(await nodes.count({ event: 'impression', token: stage.token(at(-day)) }), 'expired');
  assert.equal(await nodes.count({ event: 'impression', token: stage.token(at(day)) }), 'counted');
  const early = stage.token({ ...at(day), place: 1, issuedMs: Date.now() - day / 2 });
  assert.equal(await nodes.count({ event: 'impression', token: early }), 'counted');
  const counted = await stage.database.query<{ isNow: boolean }>(
    `select at between now() - interval '1 minute' and now() as "isNow" from backline.ad_deliveries`,
  );
  assert.deepEqual(counted, [{ isNow: true }, { isNow: true }]);
  await nodes.close();
});

test('an error needs no impression, and events of two ads of a break are apart', async () => {
  await using stage = await startStage();
  const decision = newDecisionId();
  const [one, two] = [stage.token({ decision }), stage.token({ decision, place: 1 })];
  assert.equal(await stage.count('error', one), 'counted');
  assert.equal(await stage.count('impression', one), 'counted');
  assert.equal(await stage.count('start', two), 'held');
});

test('rows live longer than tokens, and no longer; an erased listener is taken out at once', async () => {
  await using stage = await startStage();
  const token = stage.token();
  await stage.count('impression', token);
  assert.equal(await stage.erase('ann'), 1);
  const [row] = await stage.database.query<{ token: AdToken }>('select token from backline.ad_deliveries');
  assert.deepEqual(row?.token.subject, {});
  stage.pass(TOKEN_LIMITS.lifetimeMs + 25 * 3_600_000);
  await stage.tidy();
  assert.equal(await stage.states(token), 'impression:charged', 'not before it is in the event log');
  await stage.database.query('update backline.ad_deliveries set is_logged = true');
  await stage.tidy();
  assert.equal(await stage.states(token), '');
});

test('a late charge that fails leaves its own row late, and holds back no other for longer than one look', async () => {
  const broken = new Set<string>();
  await using stage = await startStage((key) => {
    if (broken.has(key.slice(0, 36).replaceAll('-', ''))) throw new Error('the stored limits cannot be read');
    return true;
  });
  const tokens = Array.from({ length: 260 }, () => stage.token({ reservedUntilMs: 0 }));
  const [first, second] = tokens as [AdToken, AdToken];
  for (const { decision } of [first, second]) broken.add(decision);
  for (const token of tokens.slice(0, 2)) await stage.count('impression', token);
  stage.pass(1_000);
  for (const token of tokens.slice(2)) await stage.count('impression', token);
  for (let look = 1; look <= 3; look += 1) await stage.settle();
  const late = await stage.database.query("select from backline.ad_deliveries where state = 'late'");
  assert.equal(late.length, 2, 'the other 258 are charged');
  broken.clear();
  assert.equal((await stage.settle()).charged, 0, 'not tried again at once');
  stage.pass(60_000);
  assert.equal((await stage.settle()).charged, 2);
  assert.deepEqual(await readEvidence(stage.database, ['slice-1']), new Map());
});

test('charges of accounts that are away hold back no other account, and no transaction is open while they run', async () => {
  const { database, [Symbol.asyncDispose]: dispose } = await startDatabase();
  const hanging = Promise.withResolvers<boolean>();
  const begun = Promise.withResolvers<void>();
  const deliveries = openDeliveries({
    database,
    clock: undefined,
    chargeLate: async ({ money: { account } }) => {
      if (account === 'd/broken') throw new Error('its quota database is away');
      if (account !== 'd/hangs') return true;
      begun.resolve();
      return hanging.promise;
    },
    secret: SECRET,
    log: openLog('silent'),
  });
  const report = (account: string) => {
    const token = tokenAt(Date.now(), { advertiser: account, reservedUntilMs: 0 });
    return deliveries.count({ event: 'impression', token, money: { ...MONEY, account } });
  };
  await Promise.all(Array.from({ length: 250 }, () => report('d/broken')));
  await report('d/hangs');
  await report('d/a');
  const settling = deliveries.settle();
  await begun.promise;
  const open = await database.query(
    "select from pg_stat_activity where state = 'idle in transaction' and datname = current_database()",
  );
  assert.equal(open.length, 0);
  hanging.resolve(true);
  assert.equal((await settling).charged, 2);
  await deliveries.close();
  await dispose();
});

test('an erased listener does not come back through tokens that are out; one who returns gets new ones', async () => {
  await using stage = await startStage();
  const [token, early] = [stage.token(), stage.token({ subject: { listener: 'bob', session: 's' } })];
  const subjects = async (decision: string) => {
    const rows = await stage.database.query<{ subject: object }>({
      text: "select token -> 'subject' as subject from backline.ad_deliveries where decision = $1 order by event",
      values: [decision],
    });
    return rows.map(({ subject }) => subject);
  };
  stage.pass(3_600_000);
  await stage.count('impression', token);
  assert.equal(await stage.erase('ann'), 1);
  assert.equal(await stage.count('start', token, 1), 'counted');
  assert.deepEqual(await subjects(token.decision), [{}, {}]);
  await stage.count('impression', early);
  assert.deepEqual(await subjects(early.decision), [{ listener: 'bob', session: 's' }], 'another listener stays');
  stage.pass(3_600_000);
  const returned = stage.token();
  await stage.count('impression', returned);
  assert.deepEqual(await subjects(returned.decision), [{ listener: 'ann', market: 'de' }]);
  const keys = () =>
    stage.database.query<{ key: string }>("select encode(key, 'escape') as key from backline.ad_erased_listeners");
  await stage.tidy();
  const [kept] = await keys();
  assert.ok(kept !== undefined && !kept.key.includes('ann'));
  stage.pass(TOKEN_LIMITS.lifetimeMs);
  await stage.tidy();
  assert.equal((await keys()).length, 0);
});
