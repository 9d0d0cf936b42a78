import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildAudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import { attributeObjectName } from '#kernel/audiences/language/attributes.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import type { AudienceRule, Context } from '#kernel/audiences/language/language.ts';
import { ATTRIBUTES, audiences, context, rule } from '#kernel/audiences/testing/arbitraries.ts';
import type { AudienceSpec } from '#kernel/audiences/kinds/audience.ts';
import { worldOf } from '#kernel/audiences/testing/world.ts';
import type { FlagDetails } from '../../clients/typescript/package/types/index.d.ts';
import { connectBackline } from '../../clients/typescript/src/index.ts';
import { startWorld, type World } from '../support/backline.ts';
import { attribute, changeSet, CHANGE_SETS, experiment, flag, holdout } from '../support/flags.ts';
import { execute } from '../support/kubectl.ts';

const backline = resolve(import.meta.dirname, '../../bin/backline');
const BULK = '/ofrep/v1/evaluate/flags';
/** Other worlds with SAME_ANSWERS_SEED, more contexts with SAME_ANSWERS_CONTEXTS. */
const seed = Number(process.env['SAME_ANSWERS_SEED'] ?? 20_261_122);
const contextCount = Number(process.env['SAME_ANSWERS_CONTEXTS'] ?? 600);

interface Answer {
  readonly key: string;
  readonly variant?: string;
  readonly value?: unknown;
  readonly reason?: string;
  readonly errorCode?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The fields of an answer that must be the same from every interface. */
function comparable({ key, variant, value, reason, errorCode, metadata = {} }: Answer): object {
  if (errorCode !== undefined) return { key, errorCode };
  const { snapshot: _, ...rest } = metadata;
  return { key, variant, value, reason, ...rest };
}

function comparableHere(details: FlagDetails): object {
  const { key, variant, value, reason, errorCode, rule, experiment, assignmentId, holdout, unit, revision } = details;
  if (errorCode !== undefined) return { key, errorCode };
  const all = { rule, experiment, assignmentId, holdout, version: revision };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const isNamed = unit !== undefined && unit.some((name) => name !== 'targetingKey');
  return { key, variant, value, reason, ...Object.fromEntries(given), ...(isNamed ? { unit: unit.join() } : {}) };
}

/** Rules that the API accepts, without conditions on the time of day, which passes between two answers. */
function rules(count: number): readonly AudienceRule[] {
  const isTimeless = (one: AudienceRule) => !JSON.stringify(one).includes('"time"');
  return fc.sample(rule(['a0', 'a1', 'a2']).filter(isTimeless), { seed, numRuns: count });
}

/** Contexts as JSON carries them. */
function contexts(): readonly Context[] {
  const households = ['h1', 'h2', 'h3', 'h4'];
  return fc
    .sample(context, { seed: seed + 1, numRuns: contextCount * 2 })
    .map((one, index) => ({
      ...one,
      ...(index % 4 === 0 ? {} : { targetingKey: `u${index % 397}` }),
      ...(index % 3 === 0 ? {} : { home: { id: households[index % 4] } }),
    }))
    .filter((one) => {
      const text = JSON.stringify(one);
      return !/\\ud[89a-f]|\\u0000/i.test(text);
    })
    .map((one) => JSON.parse(JSON.stringify(one)) as Context)
    .slice(0, contextCount);
}

async function declare({ call }: World, ...objects: object[]): Promise<boolean> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  if (answer.status !== 201) return false;
  return answer.json.status.results.every(({ problems }: { problems: unknown[] }) => problems.length === 0);
}

const halves = [
  { variant: 'a', weight: 1 },
  { variant: 'b', weight: 1 },
];

interface DeclaredWorld {
  readonly audiences: ReadonlyMap<string, AudienceSpec>;
  /** Rules by the flags that serve `b` where they are true. */
  readonly served: ReadonlyMap<string, AudienceRule>;
}

/** Flags of every make, over rules made by chance. */
async function declareWorld(world: World): Promise<DeclaredWorld> {
  const declared = ATTRIBUTES.map(({ name, ...spec }) => attribute(attributeObjectName(name), { name, ...spec }));
  assert.ok(await declare(world, ...declared, attribute('home.id', { type: 'string' }), holdout('rest', 20)));
  const specs = new Map<string, AudienceSpec>();
  for (const some of fc.sample(audiences, { seed, numRuns: 50 })) {
    for (const [name, spec] of some) {
      if (specs.has(name) || /"time"|"nobody"/.test(JSON.stringify(spec))) continue;
      const object = { apiVersion: 'audiences.backline.dev/v1', kind: 'Audience', metadata: { name }, spec };
      if (await declare(world, object)) specs.set(name, spec);
    }
  }
  assert.equal(specs.size, 3);
  const served = new Map<string, AudienceRule>();
  for (const [index, when] of rules(40).entries()) {
    const name = `rule-${index}`;
    if (await declare(world, flag(name, { rules: [{ name: 'r', when, serve: 'b' }] }))) served.set(name, when);
  }
  assert.ok(served.size > 15, `${served.size} rules were taken`);
  const [first = '', second = ''] = served.keys();
  const algorithms = ['growthbook-v1', 'growthbook-v2', 'unleash', 'flagd-v1', 'flagd-v2', 'eppo'];
  const made = [
    ...algorithms.map((algorithm) =>
      flag(`by-${algorithm}`, { rules: [{ name: 'r', split: halves, bucketing: { algorithm, salt: 's' } }] }),
    ),
    flag('by-home', { rules: [{ name: 'r', unit: ['home.id', 'targetingKey'], split: halves }] }),
    flag('ramp', {
      rules: [{ name: 'r', traffic: { percent: 30, also: [{ percent: 50, unit: ['home.id'] }] }, serve: 'b' }],
    }),
    flag('needs', {
      requires: [
        { flag: first, variants: ['b'] },
        { flag: 'by-home', variants: ['a'] },
      ],
      default: 'b',
    }),
    flag('tried'),
    experiment('trial', 'tried', { when: served.get(second), allocation: { percent: 70 }, holdouts: ['rest'] }),
    flag('homes', { unit: ['home.id'] }),
    experiment('at-home', 'homes', {
      iteration: 2,
      holdouts: ['rest'],
      bucketing: { algorithm: 'flagd-v2', salt: 's' },
    }),
    flag('off', { enabled: false }),
  ];
  assert.ok(await declare(world, ...made));
  await world.running.control?.releases()?.caughtUp();
  return { audiences: specs, served };
}

test('one by one, together, in the client, explained, on the command line and by the index: the same answers', async (t) => {
  t.diagnostic(`SAME_ANSWERS_SEED=${seed}`);
  const world = await startWorld(t);
  const { served, audiences: specs } = await declareWorld(world);
  const index = buildAudienceIndex(
    [...served.values()].map((one) => ({ rule: one, upperBound: 0 })),
    compileAudiences(worldOf(ATTRIBUTES, specs)),
  );
  const client = connectBackline({ url: world.url, key: world.running.token });
  t.after(() => client.close());
  await client.ready();
  let refused = 0;
  let compared = 0;
  for (const [at, given] of contexts().entries()) {
    const shown = JSON.stringify(given);
    const here = client.all(given);
    const bulk = await world.call('POST', BULK, { body: { context: given } });
    if (bulk.status === 400) {
      refused += 1;
      assert.deepEqual(new Set(here.map(({ errorCode }) => errorCode)), new Set([bulk.json.errorCode]), shown);
      continue;
    }
    const together = bulk.json.flags as readonly Answer[];
    assert.deepEqual(here.map(comparableHere), together.map(comparable), shown);
    compared += together.length;
    const matching = new Set(index.matches(given, Date.now()));
    for (const [position, name] of [...served.keys()].entries()) {
      const { variant, errorCode } = together.find(({ key }) => key === name) ?? {};
      if (errorCode === 'INVALID_CONTEXT') continue;
      assert.equal(variant, matching.has(position) ? 'b' : 'a', `${name} of ${shown}`);
    }
    const one = together[at % together.length];
    assert.ok(one !== undefined);
    const alone = (await world.call('POST', `${BULK}/${one.key}`, { body: { context: given } })).json as Answer;
    assert.deepEqual(comparable(alone), comparable(one), shown);
    if (at % 10 !== 0) continue;
    const explained = (await world.call('POST', '/v1/flags/explain', { body: { flag: one.key, context: given } })).json;
    assert.deepEqual([explained.variant, explained.reason.code], [one.variant, one.errorCode ?? one.reason], shown);
    if (at % 250 === 0) assert.equal(await onCommandLine(world, one.key, given), explained.reason.message, shown);
  }
  t.diagnostic(`${compared} answers, ${refused} contexts refused everywhere`);
  assert.ok(compared > 0);
});

/** The sentence that `backline flag` gives as the reason. */
async function onCommandLine(world: World, key: string, given: Context): Promise<string> {
  const attributes = Object.entries(given).flatMap(([name, value]) => [
    '--context',
    `${name}=${JSON.stringify(value)}`,
  ]);
  const flags = ['--kubeconfig', world.running.kubeconfigFile, '-o', 'json'];
  const { stdout, stderr } = await execute(backline, ['flag', key, ...attributes, ...flags], '', {});
  assert.equal(stderr, '');
  return (JSON.parse(stdout) as { reason: { message: string } }).reason.message;
}
