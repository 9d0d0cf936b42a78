import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { answer, cappedTable, startCapsNodes, type CapsNodes } from '#domains/ads/testing/caps-world.ts';
import { amount } from '../../support/amount.ts';
import { seededChance } from '../../support/chance.ts';
import { LoadOracle, type OracleLoad, type OracleQuestion } from './load-oracle.ts';

const STEPS = amount({ usual: 400, long: 8_000 });
const MINUTE_MS = 60_000;
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };
const LISTENERS = ['ann', 'bob', undefined];

/** Asks both nodes for breaks, and compares each answer with the oracle. */
class LoadModel {
  readonly #chance: ReturnType<typeof seededChance>;
  readonly #world: CapsNodes;
  #oracle = new LoadOracle();
  /** Of two policies, whose placements one listener is asked about. */
  #loads: readonly OracleLoad[] = [{ breaksPerHour: 3, graceMinutes: 10 }, { gapSeconds: 30 }];
  #nowMs = Date.UTC(2026, 10, 30, 12);
  #asked = 0;
  /** Who may still play the ad of a rewarded break. */
  #rewardable: string[] = [];

  constructor(world: CapsNodes, chance: ReturnType<typeof seededChance>) {
    this.#world = world;
    this.#chance = chance;
  }

  async step(): Promise<string> {
    const actions = [
      ...Array<() => Promise<string>>(8).fill(() => this.#ask(this.#chance.between(1, 3))),
      ...Array<() => Promise<string>>(8).fill(() => this.#wait()),
      ...Array<() => Promise<string>>(2).fill(() => this.#reward()),
      () => this.#changeLoad(),
      () => this.#erase(),
    ];
    return this.#pick(actions)();
  }

  /** Several questions at once, on both nodes: what they get is right in some order. */
  async #ask(count: number): Promise<string> {
    const questions = Array.from({ length: count }, (): OracleQuestion => {
      const load = this.#pick(this.#loads);
      return { load, listener: this.#pick(LISTENERS), isRewarded: this.#chance.between(0, 4) === 0 };
    });
    const answers = await Promise.all(
      questions.map(async ({ load: allowed, listener, isRewarded }) => {
        const table = cappedTable([TEA], {}, { consent: [{ framework: 'none' }], load: allowed });
        const { served, load } = await answer(table, this.#pick(this.#world.nodes), {
          decision: `d${(this.#asked += 1)}`,
          subject: { listener },
          nowMs: this.#nowMs,
          placement: isRewarded ? 'reward' : 'break',
        });
        return load ?? `${served.length} ads`;
      }),
    );
    for (const order of ordersOf(count)) {
      const oracle = this.#oracle.copy();
      const isRight = order.every((at) => oracle.ask(questions[at] as OracleQuestion, this.#nowMs) === answers[at]);
      if (!isRight) continue;
      this.#oracle = oracle;
      for (const [at, { listener, isRewarded }] of questions.entries())
        if (isRewarded && listener !== undefined && answers[at] === '1 ads') this.#rewardable.push(listener);
      return `ask ${JSON.stringify(questions)}: ${answers.join(' and ')}`;
    }
    const alone = questions.map((one) => this.#oracle.copy().ask(one, this.#nowMs));
    assert.fail(`${JSON.stringify(questions)} got ${answers.join(' and ')}; alone it is ${alone.join(' and ')}`);
  }

  async #reward(): Promise<string> {
    const listener = this.#rewardable.shift();
    if (listener === undefined) return 'nobody to reward';
    const untilMs = this.#nowMs + this.#chance.between(1, 60) * MINUTE_MS;
    await this.#pick(this.#world.nodes).reward({ listener }, untilMs);
    this.#oracle.reward(listener, untilMs);
    return `reward ${listener} until ${untilMs}`;
  }

  async #changeLoad(): Promise<string> {
    const maybe = <Value>(value: Value) => (this.#chance.between(0, 1) === 0 ? undefined : value);
    const changed = {
      breaksPerHour: maybe(this.#chance.between(1, 4)),
      gapSeconds: maybe(this.#chance.between(1, 3_600)),
      graceMinutes: maybe(this.#chance.between(1, 30)),
    };
    this.#loads = [changed, this.#pick(this.#loads)];
    return `load ${JSON.stringify(this.#loads)}`;
  }

  async #wait(): Promise<string> {
    const ms = this.#pick([1, 1_000, MINUTE_MS, 7 * MINUTE_MS, 30 * MINUTE_MS - 1, 30 * MINUTE_MS, 60 * MINUTE_MS]);
    this.#nowMs += ms;
    return `wait ${ms}`;
  }

  async #erase(): Promise<string> {
    const listener = this.#pick(['ann', 'bob']);
    await this.#world.nodes[0].erasers[0]?.erase(listener);
    this.#oracle.erase(listener);
    return `erase ${listener}`;
  }

  #pick<One>(all: readonly One[]): One {
    return all[this.#chance.between(0, all.length - 1)] as One;
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
  const model = new LoadModel(world, seededChance(t));
  const log: string[] = [];
  try {
    for (let step = 1; step <= STEPS; step += 1) log.push(await model.step());
  } catch (error) {
    t.diagnostic(log.slice(-40).join('\n'));
    throw error;
  }
}

test('two nodes keep the load, the grace and rewards as one that knows every question there was', play);
