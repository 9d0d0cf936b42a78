import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import type { Kind, LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { shapeProblems } from '#kernel/store/rules/write.ts';
import { decideBreak } from '#domains/ads/decisions/decide.ts';
import { AdSet } from '#domains/ads/kinds/ad-set.ts';
import { adsKinds } from '#domains/ads/module.ts';
import { askBreak, live, tableOf } from '#domains/ads/testing/world.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { ARIA_FOLDER } from './generate-aria.ts';
import { ARIA_ADS_FOLDER, ariaAdFiles } from './generate-aria-ads.ts';
import { toneWav } from './tone.ts';

async function objectsIn(folder: string): Promise<readonly LiveObject[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) =>
    parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
      const { apiVersion, kind, metadata, spec } = document.toJS();
      const found = [...audienceKinds, ...adsKinds].find((one) => one.apiVersion === apiVersion && one.kind === kind);
      return found === undefined ? [] : [live(found, metadata.name, spec)];
    }),
  );
}

const objects = [...(await objectsIn(join(ARIA_FOLDER, 'experience'))), ...(await objectsIn(ARIA_ADS_FOLDER))];

test('the committed files are what the generator writes', async () => {
  const names = (await readdir(ARIA_ADS_FOLDER)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(ARIA_ADS_FOLDER, name), 'utf8')));
  assert.deepEqual(
    Object.fromEntries(names.map((name, index) => [name, texts[index]])),
    Object.fromEntries(ariaAdFiles()),
    'run `node examples/generate-aria-ads.ts`',
  );
});

test('every object fits the schema of its kind', () => {
  const texts = [...ariaAdFiles().values()];
  for (const { value } of texts.flatMap(decodeManifests)) {
    const object = value as ResourceObject;
    const kind = adsKinds.find((one) => one.apiVersion === object.apiVersion && one.kind === object.kind) as Kind;
    const problems = shapeProblems(kind, object).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
    assert.deepEqual(problems, [], object.metadata.name);
  }
});

test('forty advertisers have three hundred ad sets', () => {
  const count = (kind: string) => objects.filter((object) => object.kind.includes(kind)).length;
  assert.equal(count('Advertiser'), 40);
  assert.equal(count('AdSet'), 300);
});

/** Listeners and moments among which there is one for every ad set. */
const SITUATIONS = ['de', 'fr', 'gb', 'se', 'no', 'us', 'br', 'in', 'mx', 'jp'].flatMap((market) =>
  ['18-24', '45-54'].flatMap((ageBand) =>
    [['pop'], ['rock']].flatMap((genres) =>
      // A Tuesday morning and evening, and a Saturday.
      ['2026-12-01T08:00Z', '2026-12-01T20:00Z', '2026-12-05T08:00Z'].map((at) => ({
        nowMs: Date.parse(at),
        wallMs: Date.parse(at),
        context: { targetingKey: 'ann', market, ageBand, genres, platform: 'ios', timeZone: 'UTC' },
      })),
    ),
  ),
);

test('every ad set is for somebody, at some time: no floor, format or rate stands against it', () => {
  const isOf = ({ kind }: LiveObject, one: Kind) => kind === one.id;
  const adSets = objects.filter((object) => isOf(object, AdSet));
  const nobodys = adSets.filter(({ name }) => {
    const table = tableOf(objects.filter((object) => !isOf(object, AdSet) || object.name === name));
    const placements = [...table.placements.keys()];
    return !SITUATIONS.some((situation) =>
      placements.some((placement) => decideBreak(table, askBreak(table, situation, placement)).candidates.length > 0),
    );
  });
  assert.deepEqual(
    nobodys.map(({ name }) => name),
    [],
  );
});

test('a tone is a WAV file of its length', () => {
  const file = toneWav(440, 2);
  assert.equal(file.toString('latin1', 0, 4), 'RIFF');
  assert.equal(file.readUInt32LE(4), file.length - 8);
  assert.equal(file.readUInt32LE(40), 16_000);
});
