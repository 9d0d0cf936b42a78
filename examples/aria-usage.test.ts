import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { fieldPath } from '#kernel/base/failures.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { bucketsFor } from '#domains/products/decisions/buckets-for.ts';
import { compile } from '#domains/products/decisions/compile.ts';
import { decideUse } from '#domains/products/decisions/decide-use.ts';
import { describeUsage } from '#domains/products/decisions/describe-usage.ts';
import { checkOnRecord } from '#domains/products/decisions/on-record.ts';
import { grantBought } from '#domains/products/rules/purchase.ts';
import type { SubjectFacts } from '#domains/products/rules/subject-facts.ts';
import { anna, Counters, requireMetered, nobody } from '#domains/products/testing/on-record.ts';
import { contextOf, kindOf, worldOf } from '#domains/products/testing/world.ts';
import { ARIA_FOLDER, ariaFiles } from './generate-aria.ts';

const NOW = '2026-11-22T12:00:00Z';
const now = Temporal.Instant.from(NOW);
const nowMs = now.epochMilliseconds;
const DAY = 86_400_000;

const folder = join(ARIA_FOLDER, 'products');
const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
const objectsIn = (text: string) =>
  parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as ResourceObject);
const usage = texts.flatMap(objectsIn);
const catalogue = [...ariaFiles().values()].flatMap(objectsIn).filter(({ kind }) => kind !== 'Namespace');
const world = worldOf([...catalogue, ...usage]);
const table = compile(world);

const free = { plan: 'free', market: 'de' };
const useOf = (facts: SubjectFacts, feature: string, at = nowMs, device?: string) =>
  requireMetered(bucketsFor(table, { ...free, feature, device }, facts, at));
const outcome = (facts: SubjectFacts, feature: string, counters: Counters, amount: number) => {
  const use = useOf(facts, feature);
  const base = checkOnRecord(table, { ...free, feature }, facts, now);
  return decideUse(table, { base, use }, counters.check(use, amount), { amount });
};

test('the caps and add-ons of the sample pass the schema and the rules of their kinds', () => {
  const context = contextOf([...catalogue, ...usage], NOW);
  for (const object of usage) {
    const kind = kindOf(object);
    const structure = structureOf(kind);
    const { value, unknown } = structure.prune(object);
    assert.deepEqual([unknown, structure.validate(structure.applyDefaults(value))], [[], []]);
    const { name } = object.metadata;
    const spec = world.get(kind.id, name)?.spec;
    const problems = [
      ...(kind.validate?.(spec, { ...context, name }) ?? []),
      ...(kind.check?.(spec, world, name) ?? []),
    ];
    assert.deepEqual(
      problems.map(({ path, detail }) => `${name}: ${fieldPath(path)}: ${detail}`),
      [],
    );
    for (const ref of kind.refs?.(spec, 'aria') ?? []) assert.ok(world.get(ref.kind, ref.name) !== undefined, ref.name);
  }
});

test('fifteen hours of audiobooks a month, then those of the add-on, then those that were bought once', () => {
  const bought = (id: string, addOn: string) => {
    const found = table.addOns.get(addOn);
    assert.ok(found !== undefined);
    return grantBought(id, found, { atMs: nowMs - 5 * DAY, zone: 'Europe/Berlin' });
  };
  const grants = [bought('t', 'audiobooks-10h'), bought('m', 'audiobooks-plus')];
  const facts = anna({}, { grants });
  const counters = new Counters().at(nowMs);
  assert.equal(counters.consume(useOf(facts, 'audiobooks'), 1_520), 'plan/audiobooks:900 grant/m:600 grant/t:20');
  const use = useOf(facts, 'audiobooks');
  assert.equal(describeUsage(use, counters.check(use)).remaining, 580);
  // A month later the plan and the add-on are there again, without what was left; of the top-up there is what was left.
  const later = nowMs + 30 * DAY;
  counters.at(later);
  const next = useOf(facts, 'audiobooks', later);
  assert.equal(describeUsage(next, counters.check(next)).remaining, 900 + 600 + 580);
  // Without a subscription they wait, and a year after they were bought the top-up is gone.
  const lapsed = anna({ status: 'lapsed' }, { grants });
  assert.equal(counters.consume(useOf(lapsed, 'audiobooks', later), 1), 'denied');
  assert.equal(counters.consume(useOf(facts, 'audiobooks', later), 2_080).includes('grant/t:580'), true);
});

test('on Family only who pays has audiobooks, and each of the six has a stream of their own', () => {
  const member = anna({ plan: 'family', role: 'member' }, { listener: 'bo' });
  assert.equal(bucketsFor(table, { feature: 'audiobooks' }, member, nowMs).metered, false);
  const manager = anna({ plan: 'family' });
  assert.equal(useOf(manager, 'audiobooks').buckets[0]?.limit, 900);
  const streams = [member, manager].map((facts) => useOf(facts, 'streams'));
  assert.deepEqual(
    streams.map(({ scope, buckets }) => `${scope.subject} ${buckets.map(({ limit }) => limit).join()}`),
    ['listener/bo 1', 'listener/anna 1'],
  );
});

test('for free there are thirty minutes a day of any track, then shuffle, with six skips an hour', () => {
  const bo = nobody('bo');
  const counters = new Counters().at(nowMs);
  assert.equal(outcome(bo, 'on-demand', counters, 30).outcome, 'allow');
  counters.consume(useOf(bo, 'on-demand'), 30);
  const then = outcome(bo, 'on-demand', counters, 1);
  assert.equal(then.outcome === 'degrade' && then.degradedTo.feature, 'shuffle');
  assert.match(then.reason.message, /all 30 minutes are used; resets on 23 November 2026\. Shuffle play is given/);
  counters.consume(useOf(bo, 'skips'), 6);
  const skip = outcome(bo, 'skips', counters, 1);
  assert.equal(skip.outcome, 'upsell');
  counters.at(nowMs + 3_600_000);
  assert.equal(counters.consume(useOf(bo, 'skips'), 6), 'plan/skips:6');
});

test('downloads are on five devices, ten thousand tracks on each, for thirty days without a connection', () => {
  const devices = useOf(anna(), 'offline-devices');
  assert.deepEqual([devices.buckets[0]?.limit, devices.offlineMs], [5, 30 * DAY]);
  const tracks = useOf(anna(), 'offline-tracks', nowMs, 'phone');
  assert.deepEqual([tracks.buckets[0]?.limit, tracks.scope.subject], [10_000, 'device/anna/phone']);
});
