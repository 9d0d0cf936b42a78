import { once } from 'node:events';
import { FlagdCore } from '@openfeature/flagd-core';
import { GrowthBookClient } from '@growthbook/growthbook';
import { InMemStorageProvider, Unleash } from 'unleash-client';
import { compile } from '#domains/experience/decisions/compile.ts';
import { absolute, against, median, type Figure } from './figure.ts';
import { contexts, COUNTRIES, flagWorld } from './flag-world.ts';

const ROUNDS = 5;
/** For how long each evaluator runs in a round. */
const ROUND_MS = 400;
const LISTENERS = 1_024;

/**
 * One flag evaluated in process for many listeners: two conditions (a country in a list, a version), then a split in
 * halves; beside flagd, GrowthBook and Unleash with the same flag and the same listeners, turn by turn.
 */
export async function* run(): AsyncIterable<Figure> {
  const asked = contexts(LISTENERS);
  const table = compile(flagWorld(1));
  const flag = table.flags.get('flag-0');
  if (flag === undefined) throw new Error('the flag does not compile');
  const questions = asked.map((context) => ({ context, nowMs: Date.now(), random: Math.random }));
  const evaluators: Record<string, (index: number) => boolean> = {
    backline: (index) => {
      const question = questions[index];
      return question !== undefined && flag.decide(question, table.flags).value === true;
    },
    'flagd-core': flagd(asked),
    GrowthBook: growthBook(asked),
    Unleash: await unleash(asked),
  };
  const rates = new Map<string, number[]>(Object.keys(evaluators).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, evaluate] of Object.entries(evaluators)) {
      const rate = perSecond(name, evaluate);
      if (round > 0) rates.get(name)?.push(rate);
    }
  }
  const rate = (name: string): number => median(rates.get(name) ?? []);
  const ours = rate('backline');
  yield absolute('flags/one', 'evaluations/s', ours, { min: 3_000_000 });
  for (const name of Object.keys(evaluators).slice(1)) {
    yield against(`flags/beside ${name}`, 'evaluations/s', ours, rate(name), { min: 4 });
  }
  const many = compile(flagWorld(200));
  const bulk = perSecond(
    '200 flags',
    (index) => {
      const question = questions[index];
      if (question === undefined) return false;
      let text = '';
      for (const each of many.inOrder()) text += `${each.decide(question, many.flags).json},`;
      // Half of those who asked get each variant; the text is used, or it would not be made.
      return text.length % 2 === 0;
    },
    false,
  );
  yield absolute('flags/200 as JSON', 'answers/s', bulk, { min: 5_000 });
}

/** Evaluations a second; about half of them must be true. */
function perSecond(name: string, evaluate: (index: number) => boolean, isSplit = true): number {
  let calls = 0;
  let yes = 0;
  const started = performance.now();
  let spent = 0;
  while (spent < ROUND_MS) {
    for (let index = 0; index < LISTENERS; index += 1) if (evaluate(index)) yes += 1;
    calls += LISTENERS;
    spent = performance.now() - started;
  }
  if (isSplit && (yes < calls * 0.4 || yes > calls * 0.6)) throw new Error(`${name}: ${yes} of ${calls} were true`);
  return (calls * 1_000) / spent;
}

type Listeners = ReturnType<typeof contexts>;

function flagd(asked: Listeners): (index: number) => boolean {
  const core = new FlagdCore();
  const targeting = {
    if: [
      { and: [{ in: [{ var: 'country' }, COUNTRIES] }, { sem_ver: [{ var: 'appVersion' }, '>=', '8.9.0'] }] },
      {
        fractional: [
          ['on', 50],
          ['off', 50],
        ],
      },
    ],
  };
  core.setConfigurations(
    JSON.stringify({
      flags: { flag: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting } },
    }),
  );
  return (index) => core.resolveBooleanEvaluation('flag', false, asked[index]).value;
}

function growthBook(asked: Listeners): (index: number) => boolean {
  const client = new GrowthBookClient().initSync({
    payload: {
      features: {
        flag: {
          defaultValue: false,
          rules: [
            {
              condition: { country: { $in: COUNTRIES }, appVersion: { $vgte: '8.9.0' } },
              variations: [true, false],
              weights: [0.5, 0.5],
              coverage: 1,
              hashAttribute: 'id',
              hashVersion: 2,
              seed: 'flag',
              key: 'flag',
            },
          ],
        },
      },
    },
  });
  const users = asked.map(({ targetingKey, ...rest }) => ({ attributes: { id: targetingKey, ...rest } }));
  return (index) => client.evalFeature('flag', users[index] ?? { attributes: {} }).value === true;
}

async function unleash(asked: Listeners): Promise<(index: number) => boolean> {
  const client = new Unleash({
    url: 'http://127.0.0.1:1/api/',
    appName: 'bench',
    disableMetrics: true,
    refreshInterval: 0,
    storageProvider: new InMemStorageProvider(),
    skipInstanceCountWarning: true,
    bootstrap: {
      data: [
        {
          name: 'flag',
          type: 'release',
          enabled: true,
          project: 'default',
          stale: false,
          impressionData: false,
          strategies: [
            {
              name: 'flexibleRollout',
              parameters: { rollout: '100', stickiness: 'default', groupId: 'flag' },
              constraints: [
                { contextName: 'country', operator: 'IN', values: COUNTRIES, inverted: false, caseInsensitive: false },
                {
                  contextName: 'appVersion',
                  operator: 'SEMVER_GT',
                  value: '8.8.99',
                  inverted: false,
                  caseInsensitive: false,
                },
              ],
              variants: [
                { name: 'on', weight: 500, stickiness: 'default' },
                { name: 'off', weight: 500, stickiness: 'default' },
              ],
            },
          ],
          variants: [],
        },
      ],
    } as never,
  });
  client.on('error', () => {});
  client.on('warn', () => {});
  await once(client, 'ready');
  const users = asked.map(({ targetingKey, ...properties }) => ({ userId: targetingKey, properties }));
  return (index) => client.getVariant('flag', users[index] ?? {}).name === 'on';
}
