import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { runCommandLine } from '../program.ts';
import { fakeIo } from '../testing/fake-io.ts';

const unleash = {
  features: [
    { name: 'My.Feature', enabled: true, strategies: [{ name: 'default', constraints: [] }] },
    { name: 'odd', enabled: true, strategies: [{ name: 'moonPhase', parameters: {} }] },
  ],
};

async function terminal(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-import-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'unleash.json'), JSON.stringify(unleash));
  await writeFile(join(directory, 'twice.json'), '{"features": [], "features": []}');
  await writeFile(join(directory, 'broken.json'), '{"features": [}');
  await writeFile(join(directory, 'deep.json'), `{"flags":${'['.repeat(5_000)}${']'.repeat(5_000)}}`);
  return {
    directory,
    backline: async (line: string, stdin = '') => {
      const io = fakeIo({ directory, stdin });
      const status = await runCommandLine(line.split(' '), io);
      return { status, out: io.written.stdout, err: io.written.stderr };
    },
  };
}

test('importable flags go to standard output as YAML, others are reported, and the exit status tells', async (t) => {
  const { backline } = await terminal(t);
  const { status, out, err } = await backline('import unleash unleash.json -n app');
  assert.equal(status, 1);
  const objects = parseAllDocuments(out).map(
    (document) => document.toJS() as { metadata: object; spec: { key: string } },
  );
  assert.deepEqual(
    objects.map(({ metadata, spec }) => [metadata, spec.key]),
    [[{ name: 'my-feature-d45d2fd8', namespace: 'app' }, 'My.Feature']],
  );
  assert.match(err, /^left out {2}\/features\/1\/strategies\/0\/name: the strategy "moonPhase" is a custom strategy/m);
  assert.match(err, /^1 objects, 1 left out$/m);
  assert.equal((await backline('import unleash unleash.json --skip-unsupported')).status, 0);
});

test('a number that would be rounded leaves out what it is part of, and nothing else', async (t) => {
  const { backline } = await terminal(t);
  const id = '1795000000000000199';
  const when = (condition: string) => `{"defaultValue":false,"rules":[{"condition":${condition},"force":true}]}`;
  const groups = `"savedGroups":{"g":{"type":"list","attributeKey":"uid","values":[${id}]}}`;
  const byGroup = when('{"$savedGroups":["g"]}').replace('"$savedGroups":["g"]', '"uid":{"$inGroup":"g"}');
  const features = `"plain":{"defaultValue":true},"odd":${when(`{"uid":{"$in":[1,${id}]}}`)},"one":${byGroup},"two":${byGroup}`;
  const document = `{"features":{${features}},${groups}}`;
  const run = await backline('import growthbook - --attribute uid=number --skip-unsupported', document);
  assert.equal(run.status, 0, run.err);
  assert.deepEqual(
    [...run.out.matchAll(/^ {2}name: (.*)$/gm)].map(([, name]) => name),
    ['plain'],
  );
  assert.match(run.err, /left out {2}\/features\/odd\/rules\/0\/condition\/uid\/\$in\/1: a whole number beyond/);
  assert.match(run.err, /^1 objects, 3 left out$/m);
  const beside = await backline('import growthbook -', document.replace('{"features"', `{"version":${id},"features"`));
  assert.match(beside.err, /\/version is a whole number that cannot be kept exactly/);
});

test('JSON comes as a list that apply takes, and the state may come on standard input', async (t) => {
  const { backline } = await terminal(t);
  const { status, out } = await backline(
    'import unleash - -o json',
    JSON.stringify({ features: unleash.features.slice(0, 1) }),
  );
  assert.equal(status, 0);
  const list = JSON.parse(out) as { kind: string; items: unknown[] };
  assert.deepEqual([list.kind, list.items.length], ['List', 1]);
});

const WRONG: readonly [line: string, status: number, message: RegExp][] = [
  ['import unleash nowhere.json', 64, /there is no file nowhere\.json/],
  ['import split unleash.json', 64, /Allowed choices are unleash, growthbook, flagd/],
  [
    'import growthbook unleash.json',
    1,
    /unleash\.json: This is not a payload of GrowthBook: \/features must be object/,
  ],
  [
    'import flagd unleash.json',
    1,
    /unleash\.json: This is not a flag definition of flagd: the document must have.*flags/,
  ],
  ['import unleash twice.json', 1, /twice\.json: the key \/features is given twice/],
  ['import unleash broken.json', 1, /broken\.json: .*line 1/],
  ['import flagd deep.json', 1, /deep\.json: .*nested/],
  ['import unleash large.json', 1, /104857600 bytes or more; 67108864 fit \(documentBytesMax\)/],
  ['import unleash unleash.json --bucketing flagd-v1', 64, /--bucketing is for flagd, not for unleash/],
  ['import flagd unleash.json --sticky-bucketing', 64, /--sticky-bucketing is for growthbook, not for flagd/],
  ['import growthbook unleash.json --attribute age=semver', 64, /--attribute age=semver cannot be read/],
];

for (const [line, status, message] of WRONG) {
  test(`an import that fails says what would be right: ${line}`, async (t) => {
    const { directory, backline } = await terminal(t);
    // A hole: it has a hundred megabytes and takes no room.
    const large = await open(join(directory, 'large.json'), 'w');
    await large.truncate(100 * 1024 * 1024);
    await large.close();
    const answer = await backline(line);
    assert.deepEqual([answer.status, answer.out], [status, '']);
    assert.match(answer.err, message);
  });
}
