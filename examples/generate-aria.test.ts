import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { fieldPath } from '#kernel/base/failures.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { check } from '#domains/products/decisions/check.ts';
import { compile } from '#domains/products/decisions/compile.ts';
import { prices } from '#domains/products/decisions/prices.ts';
import { contextOf, kindOf, worldOf } from '#domains/products/testing/world.ts';
import { ARIA_FOLDER, ariaFiles } from './generate-aria.ts';

const NOW = '2026-11-22T12:00:00Z';
const now = Temporal.Instant.from(NOW);

/** The objects as a YAML 1.1 reader, such as kubectl, understands the files. */
function objectsOf(files: ReadonlyMap<string, string>): readonly ResourceObject[] {
  return [...files.values()].flatMap((text) =>
    parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as ResourceObject),
  );
}

const objects = objectsOf(ariaFiles()).filter(({ kind }) => kind !== 'Namespace');
const world = worldOf(objects);
const table = compile(world);

test('the committed files are what the generator writes', async () => {
  const written = /^namespace\.yaml$|^products\/(features|plans|markets|prices-.*)\.yaml$/;
  const names = (await readdir(ARIA_FOLDER, { recursive: true })).filter((name) => written.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(ARIA_FOLDER, name), 'utf8')));
  assert.deepEqual(
    Object.fromEntries(names.map((name, index) => [name, texts[index]])),
    Object.fromEntries(ariaFiles()),
    'run `node examples/generate-aria.ts`',
  );
});

test('every object fits the schema of its kind, with no field that the kind does not know', () => {
  for (const object of objects) {
    const structure = structureOf(kindOf(object));
    const { value, unknown } = structure.prune(object);
    assert.deepEqual(unknown, []);
    assert.deepEqual(structure.validate(structure.applyDefaults(value)), []);
  }
});

test('every object passes the rules of its kind, alone and with all the others', () => {
  const context = contextOf(objects, NOW);
  for (const object of objects) {
    const kind = kindOf(object);
    const { name } = object.metadata;
    const live = world.get(kind.id, name);
    assert.ok(live !== undefined);
    const problems = [
      ...(kind.validate?.(live.spec, { ...context, name }) ?? []),
      ...(kind.check?.(live.spec, world, name) ?? []),
    ];
    assert.deepEqual(
      problems.map(({ path, detail }) => `${kind.kind} ${name}: ${fieldPath(path)}: ${detail}`),
      [],
    );
    for (const ref of kind.refs?.(live.spec, live.namespace) ?? [])
      assert.ok(world.get(ref.kind, ref.name) !== undefined, `${name} → ${ref.name}`);
  }
});

test('Premium is sold in at least sixty markets, and every other plan wherever it is offered', () => {
  const sold = (plan: string) =>
    [...table.markets.keys()].filter(
      (market) => prices(table, { market, plan, channel: 'web', interval: 'P1M' }, now).prices[0]?.sellable === true,
    );
  assert.ok(sold('premium').length >= 60, `${sold('premium').length} markets`);
  for (const plan of ['student', 'duo', 'family']) assert.equal(sold(plan).length, table.markets.size, plan);
  assert.deepEqual(sold('lite').toSorted(), ['ae', 'id', 'in', 'sa', 'za']);
  assert.deepEqual(sold('free'), []);
});

test('better plans never cost less', () => {
  for (const market of table.markets.keys()) {
    const amounts = prices(table, { market, channel: 'web', interval: 'P1M' }, now).prices.map(({ minor }) =>
      BigInt(minor ?? '0'),
    );
    assert.deepEqual(
      amounts,
      amounts.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
      market,
    );
  }
});

test('Bulgaria pays leva until the end of 2025 and the exact value in euros from 1 January 2026', () => {
  const at = (date: string) => {
    const [price] = prices(table, { territory: 'BG', plan: 'premium', at: date }, now).prices;
    return `${price?.currency} ${price?.amount}`;
  };
  assert.equal(at('2025-12-31'), 'BGN 10.99');
  assert.equal(at('2026-01-01'), 'EUR 5.62');
});

test('the free plan shows every outcome', () => {
  const outcome = (feature: string, market = 'de') => check(table, { market, plan: 'free', feature }, now).outcome;
  assert.equal(outcome('podcasts'), 'allow');
  assert.equal(outcome('any-order'), 'degrade');
  assert.equal(outcome('offline'), 'upsell');
  assert.equal(outcome('audiobooks', 'in'), 'deny');
});
