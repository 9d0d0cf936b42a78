import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Unavailable } from '#kernel/base/failures.ts';
import type { Histories, HistorySubject } from '#domains/ads/history/histories.ts';
import {
  cappedTable,
  confirm,
  serve,
  startCapsNodes,
  type CappedAdSet,
  type CapsByName,
  type CapsNodes,
} from '#domains/ads/testing/caps-world.ts';
import { amount } from '../../support/amount.ts';
import { seededChance } from '../../support/chance.ts';
import { CapsOracle, PLAYABLE_MS, WINDOW_MS, type OracleExposure } from './caps-oracle.ts';

const STEPS = amount({ usual: 300, long: 6_000 });
const BEGIN_MS = Date.UTC(2026, 10, 30, 12);
const SCOPES = ['household', 'listener', 'device', 'session'] as const;

/** Two accounts with two campaigns of two ad sets each; no two have the same bid. */
const AD_SETS: readonly CappedAdSet[] = ['a', 'b'].flatMap((account, first) =>
  ['c', 'd'].flatMap((campaign, second) =>
    ['x', 'y'].map((name, third) => ({
      account,
      campaign: `${account}.${campaign}`,
      name: `${account}.${campaign}.${name}`,
      bid: `${9 - first - 2 * second - 4 * third}.00`,
    })),
  ),
);
const OWNERS = [...new Set(AD_SETS.flatMap(({ name, campaign, account }) => [name, campaign, account]))];

/** Listeners who share a household, a device or nothing; and listeners with fewer ids. */
const SUBJECTS: readonly HistorySubject[] = [
  { listener: 'ann', household: 'home', device: 'phone', session: 's1' },
  { listener: 'ann', household: 'home', device: 'kitchen', session: 's2' },
  { listener: 'bob', household: 'home', device: 'kitchen', session: 's3' },
  { listener: 'cyd', household: 'cyd', device: 'kitchen', session: 's4' },
  { listener: 'cyd', household: 'cyd' },
  { session: 's1' },
  { session: 's5' },
  {},
];

type Chance = ReturnType<typeof seededChance>;

/** Plays with the nodes, and compares each answer with the oracle. */
class CapsModel {
  readonly #chance: Chance;
  readonly #world: CapsNodes;
  #oracle = new CapsOracle(AD_SETS);
  #caps: CapsByName = {};
  #table = cappedTable(AD_SETS, {});
  #nowMs = BEGIN_MS;
  #decisions = 0;

  constructor(world: CapsNodes, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  async step(): Promise<string> {
    const actions = [
      ...Array<() => Promise<string>>(6).fill(() => this.#serveAtOnce(1, false)),
      ...Array<() => Promise<string>>(5).fill(() => this.#serveAtOnce(this.#chance.between(2, 3), false)),
      () => this.#serveAtOnce(this.#chance.between(1, 3), true),
      () => this.#die(),
      ...Array<() => Promise<string>>(5).fill(() => this.#play()),
      ...Array<() => Promise<string>>(3).fill(() => this.#changeCaps()),
      ...Array<() => Promise<string>>(4).fill(() => this.#wait()),
      () => this.#erase(),
      () => this.#tidy(),
    ];
    return this.#pick(actions)();
  }

  /** Several decisions at once, on both nodes; with `isCut` all connections of the database break meanwhile. */
  async #serveAtOnce(count: number, isCut: boolean): Promise<string> {
    const requests = this.#requests(count);
    const cut = isCut ? this.#cutConnections() : Promise.resolve();
    const answers = await Promise.all(requests.map((request) => serve(this.#table, this.#node(), request)));
    await cut;
    const name = `${requests.map(({ subject }) => JSON.stringify(subject)).join(' and ')}${isCut ? ', cut' : ''}`;
    // Decided at once is decided in some order.
    for (const order of ordersOf(requests.length)) {
      const oracle = this.#oracle.copy();
      const isRight = order.every((at) => {
        const request = requests[at];
        assert.ok(request !== undefined);
        const expected = oracle.serve(this.#caps, request.decision, request.subject, this.#nowMs);
        return expected.join() === answers[at]?.join();
      });
      if (isRight) {
        this.#oracle = oracle;
        return `serve ${name}: ${answers.join(' and ')}`;
      }
    }
    const expected = requests.map(({ decision, subject }) =>
      this.#oracle.copy().serve(this.#caps, decision, subject, this.#nowMs).join(),
    );
    assert.fail(
      `${name} got ${answers.join(' and ')}; in no order is that right, alone it is ${expected.join(' and ')}`,
    );
  }

  /** A node that ends after its write and before its answer: the ads count, though nobody gets them. */
  async #die(): Promise<string> {
    const request = this.#request();
    const isWritten = this.#chance.between(0, 1) === 1;
    const node = this.#node();
    const dying: Histories = {
      ...node,
      add: async (...parts) => {
        if (isWritten) assert.ok(await node.add(...parts));
        throw new Error('died');
      },
    };
    const [end] = await Promise.allSettled([serve(this.#table, dying, request)]);
    if (end.status === 'fulfilled') {
      const expected = this.#oracle.serve(this.#caps, request.decision, request.subject, this.#nowMs);
      assert.deepEqual(end.value, expected);
      const own = this.#oracle.exposures.filter(({ decision }) => decision === request.decision);
      assert.ok(
        own.every(({ notes }) => notes.size === 0),
        'it is answered, and nothing is written that counts',
      );
      return `nothing to write, ${JSON.stringify(request.subject)}`;
    }
    assert.match(String(end.reason), /died/);
    if (isWritten) {
      const before = this.#oracle.exposures.length;
      this.#oracle.serve(this.#caps, request.decision, request.subject, this.#nowMs);
      this.#unanswered.push(...this.#oracle.exposures.slice(before).map(({ decision }) => decision));
    }
    return `die ${isWritten ? 'after' : 'before'} the write, ${JSON.stringify(request.subject)}`;
  }
  readonly #unanswered: string[] = [];

  /** The impression of an ad that may still play, reported once or twice, to any node. */
  async #play(): Promise<string> {
    const playable = this.#oracle.exposures.filter(
      ({ atMs, decision }) => atMs + PLAYABLE_MS > this.#nowMs && !this.#unanswered.includes(decision),
    );
    if (playable.length === 0) return 'nothing to play';
    const exposure = this.#pick<OracleExposure>(playable);
    const { decision, subject, place } = exposure;
    const request = { decision, subject, nowMs: this.#nowMs };
    const reports = Array.from({ length: this.#chance.between(1, 2) }, () => this.#node());
    await Promise.all(reports.map((node) => confirm(node, request, place, this.#nowMs)));
    this.#oracle.play(exposure, this.#nowMs);
    return `play ${decision}/${place}`;
  }

  /** Other counts, windows and scopes, or none. */
  async #changeCaps(): Promise<string> {
    const owner = this.#pick(OWNERS);
    const scopes = SCOPES.filter(() => this.#chance.between(0, 3) === 0);
    const caps = scopes.map((scope) => ({
      count: this.#chance.between(1, 4),
      per: this.#pick(Object.keys(WINDOW_MS)),
      scope,
    }));
    const { [owner]: _, ...others } = this.#caps;
    this.#caps = caps.length === 0 ? others : { ...others, [owner]: caps.slice(0, 6) };
    this.#table = cappedTable(AD_SETS, this.#caps);
    return `caps of ${owner}: ${JSON.stringify(caps)}`;
  }

  async #wait(): Promise<string> {
    const ms = this.#pick([1, 1_000, 600_000, 3_599_999, 3_600_000, 7 * 3_600_000, 25 * 3_600_000]);
    this.#nowMs += ms;
    return `wait ${ms}`;
  }

  async #erase(): Promise<string> {
    const listener = this.#pick(['ann', 'bob', 'cyd']);
    const [eraser] = this.#node().erasers;
    await untilAvailable(async () => eraser?.erase(listener));
    this.#oracle.erase(listener);
    return `erase ${listener}`;
  }

  async #tidy(): Promise<string> {
    const node = this.#node();
    await untilAvailable(() => node.tidy(this.#nowMs));
    return 'tidy';
  }

  async #cutConnections(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#chance.between(0, 4)));
    await this.#world.database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
  }

  /** The one who used a device last is erased with it: at once it is used by one listener. */
  #requests(count: number) {
    const all = Array.from({ length: count }, () => this.#request());
    const isApart = (device: string | undefined, listener: string | undefined, at: number) =>
      all.slice(0, at).every(({ subject }) => subject.device !== device || subject.listener === listener);
    return all.filter(({ subject: { device, listener } }, at) => device === undefined || isApart(device, listener, at));
  }

  #request() {
    return { decision: `d${(this.#decisions += 1)}`, subject: this.#pick(SUBJECTS), nowMs: this.#nowMs };
  }

  #node() {
    return this.#pick(this.#world.nodes);
  }

  #pick<One>(all: readonly One[]): One {
    return all[this.#chance.between(0, all.length - 1)] as One;
  }
}

/** An idle connection that was cut shows with the next statement: housekeeping and erasures are asked again. */
async function untilAvailable(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 20; ; tries -= 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof Unavailable) || tries === 0) throw error;
    }
  }
}

function ordersOf(count: number): readonly (readonly number[])[] {
  if (count === 1) return [[0]];
  return ordersOf(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, at) => [...order.slice(0, at), count - 1, ...order.slice(at)]),
  );
}

async function play(t: TestContext): Promise<void> {
  await using world = await startCapsNodes();
  const model = new CapsModel(world, seededChance(t));
  const log: string[] = [];
  try {
    for (let step = 1; step <= STEPS; step += 1) log.push(await model.step());
  } catch (error) {
    t.diagnostic(log.slice(-40).join('\n'));
    throw error;
  }
}

test('two nodes cap as one that counts every exposure: at once, cut off, dying, late, changed and erased', play);
