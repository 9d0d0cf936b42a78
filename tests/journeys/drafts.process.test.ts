import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { tidyDrafts } from '#kernel/releases/drafts/tidy-drafts.ts';
import type { DraftProblem } from '#kernel/releases/kinds/draft-answer.ts';
import { advertiserWithAd } from '../support/ads.ts';
import { startWorld, type Answer } from '../support/backline.ts';
import { CHANGE_SETS, changeSet } from '../support/flags.ts';
import { amount } from '../support/amount.ts';
import { declarePlacement, draftOf, DRAFTS, publicationOf, ADS, VALIDATION } from '../support/drafts.ts';

const BOB = { token: 'bob-token-1234' };

/** A placement for ads, and a second administrator, bob. */
async function startDesk(t: TestContext, users = '') {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, `bob-token-1234,bob,,system:masters\n${users}`);
  const world = await startWorld(t, { roles: ['api'], access: { tokenFile } });
  const { call } = world;
  await declarePlacement(call);
  return {
    ...world,
    save: async (name: string, objects: readonly unknown[], account?: string) => {
      const body = draftOf(name, objects, account === undefined ? {} : { account });
      const saved = await call('POST', DRAFTS, { body });
      assert.equal(saved.status, 201, saved.text);
      return saved.json.metadata as { uid: string; resourceVersion: string };
    },
    problems: async (name: string): Promise<readonly DraftProblem[]> => {
      const answer = await call('POST', `${DRAFTS}/${name}/validate`, { body: VALIDATION });
      assert.equal(answer.status, 201, answer.text);
      assert.equal(answer.json.status.valid, answer.json.status.problems.length === 0);
      return answer.json.status.problems;
    },
    publish: (name: string, uid: string, more: { token?: string; resourceVersion?: string } = {}) => {
      const { token, ...spec } = more;
      return call('POST', `${DRAFTS}/${name}/publish`, {
        body: publicationOf({ uid, ...spec }),
        ...(token === undefined ? {} : { token }),
      });
    },
    read: async (path: string) => (await call('GET', `${ADS}/${path}`)).json,
    isThere: async (path: string) => (await call('GET', `${ADS}/${path}`)).status === 200,
  };
}

const yamlIn = (text: string): string => /```yaml\n(.*?)```/s.exec(text)?.[1] ?? '';

const hierarchy = (name: string, options: Parameters<typeof advertiserWithAd>[1] = {}): readonly object[] =>
  advertiserWithAd(name, options).map(([, object]) => object);

const campaignsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: 'ads.backline.dev/v1',
    kind: 'Campaign',
    metadata: { name: `acme.c${index}`, namespace: 'default' },
    spec: { account: 'acme', title: 'Old' },
  }));

const summary = (problems: readonly DraftProblem[]): readonly string[] =>
  problems.map(({ position, kind, name, field, message }) => `${position} ${kind} ${name} ${field}: ${message}`);

const actionsOf = ({ json }: Answer): readonly string[] =>
  json.status.results.map(({ name, action }: { name: string; action: string }) => `${name} ${action}`);

test('D1: a publish is all or nothing, and so is the end of the draft', async (t) => {
  const { save, publish, isThere, read, call, database } = await startDesk(t);
  const objects = hierarchy('acme');
  const broken = objects.map((object) =>
    (object as { kind: string }).kind === 'Ad' ? { ...object, spec: { account: 'acme', adSet: 'acme.s' } } : object,
  );
  const { uid } = await save('spring', broken);
  const refused = await publish('spring', uid);
  assert.equal(refused.status, 422, refused.text);
  assert.match(refused.json.message, /^Draft "spring": Ad "acme\.a": .*: nothing was written\./);
  for (const path of ['advertisers/acme', 'campaigns/acme.c', 'adsets/acme.s'])
    assert.equal(await isThere(path), false, path);
  const draft = (await call('GET', `${DRAFTS}/spring`)).json;
  const repaired = await call('PUT', `${DRAFTS}/spring`, { body: { ...draft, spec: { objects } } });
  assert.equal(repaired.status, 200, repaired.text);
  const published = await publish('spring', uid);
  assert.equal(published.status, 201, published.text);
  assert.deepEqual(actionsOf(published), [
    'acme created',
    'acme.c created',
    'acme.s created',
    'acme.f created',
    'acme.a created',
  ]);
  assert.equal((await call('GET', `${DRAFTS}/spring`)).status, 404);
  const versions = await Promise.all(
    ['advertisers/acme', 'campaigns/acme.c', 'adsets/acme.s', 'ads/acme.a', 'assets/acme.f'].map(read),
  );
  const numbers = versions.map(({ metadata }) => Number(metadata.resourceVersion)).toSorted((a, b) => a - b);
  const last = Number(published.json.status.version);
  assert.deepEqual(
    numbers,
    [5, 4, 3, 2, 1].map((before) => last - before),
    'one write, with the end of the draft',
  );
  const writes = await database.query<{ write: number; count: number }>({
    text: 'select write, count(*)::integer as count from backline.changes where version > $1 and version <= $2 group by write',
    values: [last - 6, last],
  });
  assert.deepEqual(writes, [{ write: last - 5, count: 6 }]);
});

test('D2: nothing that changed since is overwritten: each is named with who changed it, and when', async (t) => {
  const { save, publish, problems, read, call } = await startDesk(t);
  for (const object of hierarchy('acme')) {
    const { kind } = object as { kind: string };
    assert.equal((await call('POST', `${ADS}/${kind.toLowerCase()}s`, { body: object })).status, 201);
  }
  const paths = ['campaigns/acme.c', 'adsets/acme.s', 'ads/acme.a', 'assets/acme.f'];
  const based = (await Promise.all(paths.map(read))).map((object) => ({
    ...object,
    metadata: { ...object.metadata, labels: { season: 'spring' } },
  }));
  const { uid } = await save('spring', based);
  assert.deepEqual(await problems('spring'), []);
  const adSet = await read('adsets/acme.s');
  const edit = { ...adSet, spec: { ...adSet.spec, bid: '8.00' } };
  assert.equal((await call('PUT', `${ADS}/adsets/acme.s`, { ...BOB, body: edit })).status, 200);
  assert.equal((await call('DELETE', `${ADS}/ads/acme.a`, BOB)).status, 200);
  const found = (await problems('spring')).filter(({ outdated }) => outdated === true);
  const [changed, deleted] = summary(found);
  assert.match(
    changed ?? '',
    /^1 AdSet acme\.s metadata\.resourceVersion: It was changed by bob at 20\S+Z; the draft builds on version \d+\.$/,
  );
  assert.match(
    deleted ?? '',
    /^2 Ad acme\.a metadata\.resourceVersion: It was deleted by bob at 20\S+Z; the draft builds on version \d+\.$/,
  );
  assert.equal(found.length, 2);
  const refused = await publish('spring', uid);
  assert.equal(refused.status, 409, refused.text);
  assert.deepEqual(
    refused.json.details.causes.map(({ field }: { field: string }) => field),
    ['spec.objects[1].metadata.resourceVersion', 'spec.objects[2].metadata.resourceVersion'],
  );
  assert.equal((await read('adsets/acme.s')).spec.bid, '8.00');
  assert.equal((await read('campaigns/acme.c')).metadata.labels, undefined);

  await save('blind', [
    { ...edit, metadata: { name: 'acme.s', namespace: 'default' }, spec: { ...edit.spec, bid: '7.00' } },
  ]);
  assert.match(
    summary(await problems('blind'))[0] ?? '',
    /It is declared already, otherwise than here, and the draft does not name/,
  );
  await save('same', [{ ...edit, metadata: { name: 'acme.s', namespace: 'default' } }]);
  assert.deepEqual(await problems('same'), [], 'what is declared already may be in a draft');
});

test('D3: a draft that is valid in an unchanged world is published, whatever only the engine wrote since', async (t) => {
  const { save, publish, problems, read, call } = await startDesk(t);
  const placement = await read('placements/between-songs');
  const written = await call('PUT', `${ADS}/placements/between-songs`, {
    body: { ...placement, spec: { ...placement.spec, seconds: 80 } },
  });
  assert.equal(written.status, 200, written.text);
  // Its status is written after it goes live: that is no change of what is declared.
  const { uid } = await save('longer', [{ ...written.json, spec: { ...written.json.spec, seconds: 120 } }]);
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await read('placements/between-songs')).metadata.resourceVersion !== written.json.metadata.resourceVersion)
      break;
  }
  assert.notEqual(
    (await read('placements/between-songs')).metadata.resourceVersion,
    written.json.metadata.resourceVersion,
  );
  assert.deepEqual(await problems('longer'), []);
  const published = await publish('longer', uid);
  assert.equal(published.status, 201, published.text);
  assert.match(published.json.status.release, /^placement|between/);
  assert.equal((await read('placements/between-songs')).spec.seconds, 120);
});

test('D4: validating writes nothing, and finds everything at once, with remedies', async (t) => {
  const { save, problems, running } = await startDesk(t);
  const [advertiser, campaign, , asset, ad] = hierarchy('acme');
  const adSet = (name: string, spec: object) => ({
    apiVersion: 'ads.backline.dev/v1',
    kind: 'AdSet',
    metadata: { name, namespace: 'default' },
    spec: { account: 'acme', campaign: 'acme.c', goal: 'cpm', bid: '9.00', ...spec },
  });
  await save('spring', [
    advertiser,
    campaign,
    adSet('acme.s', { bid: '1.00' }),
    adSet('acme.empty', {}),
    adSet('other.name', {}),
    { ...(asset as object), metadata: { name: 'acme.f', namespace: 'default' } },
    ad,
    {
      ...(ad as object),
      metadata: { name: 'acme.b', namespace: 'default' },
      spec: { account: 'acme', adSet: 'acme.s', asset: 'acme.none', colour: 'red' },
    },
    {
      ...(ad as object),
      metadata: { name: 'acme.d', namespace: 'default' },
      spec: { account: 'acme', adSet: 'acme.s', asset: 'acme.none' },
    },
  ]);
  const { version } = running.control?.store ?? assert.fail('no store');
  const before = version();
  const found = await problems('spring');
  assert.equal(version(), before);
  const texts = summary(found);
  const expected = [
    /^2 AdSet acme\.s : Nobody gets it: The bid is below the floor of between-songs\.$/,
    /^3 AdSet acme\.empty : Nobody gets it: The AdSet has no Ad\.$/,
    /^4 AdSet other\.name metadata\.name: /,
    /^7 Ad acme\.b spec\.colour: /,
    /^8 Ad acme\.d : Nobody gets it: There is no Asset acme\.none\.$/,
  ];
  assert.equal(texts.length, expected.length, texts.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(texts[index] ?? '', pattern);
  assert.equal(
    found[0]?.remedy,
    'Raise spec.bid of the AdSet, or name other placements in spec.placements of the AdSet.',
  );
});

test('D5: a draft is published once: a repetition answers the same, another user learns who did', async (t) => {
  const { save, publish, call } = await startDesk(t);
  const { uid } = await save('spring', hierarchy('acme'));
  const all = await Promise.all(
    [undefined, BOB.token, undefined, BOB.token].map((token) =>
      publish('spring', uid, token === undefined ? {} : { token }),
    ),
  );
  const done = all.filter(({ status }) => status === 201);
  assert.equal(done.length, 2, all.map(({ text }) => text).join('\n'));
  assert.equal(done[0]?.text, done[1]?.text);
  for (const { status, json } of all.filter((one) => !done.includes(one))) {
    assert.equal(status, 409);
    assert.match(json.message, /^Draft "spring" was published by (admin|bob) at 20\S+Z, as version \d+\./);
  }
  // A new draft of the name is another one: the repetition does not publish it.
  const next = await save('spring', hierarchy('bolt'));
  const winner = done[0]?.json.status.by === 'bob' ? BOB : {};
  const again = await publish('spring', uid, winner);
  assert.deepEqual([again.status, again.text], [201, done[0]?.text]);
  assert.equal((await call('GET', `${ADS}/campaigns/bolt.c`)).status, 404);
  const saved = await publish('spring', next.uid, { resourceVersion: String(Number(next.resourceVersion) - 1) });
  assert.match(
    saved.json.message,
    /^Draft "spring" was saved again by admin at 20\S+Z, after version \d+: nothing was written\./,
  );
  assert.equal((await publish('spring', 'no-such-uid')).status, 409);
  assert.equal((await call('DELETE', `${DRAFTS}/spring`)).status, 200);
  assert.equal((await publish('spring', next.uid)).status, 404, 'discarded, not published');
});

test('a draft of what cannot be declared is refused as it is written, by position and field', async (t) => {
  const { call } = await startDesk(t);
  const [advertiser] = hierarchy('acme');
  const save = (...objects: readonly unknown[]) => call('POST', DRAFTS, { body: draftOf('x', objects) });
  const { status, json } = await save(
    advertiser,
    { apiVersion: 'ads.backline.dev/v1', kind: 'Campain', metadata: { name: 'acme.c' } },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, data: {} },
    { apiVersion: 'ads.backline.dev/v1', kind: 'Campaign', metadata: {} },
    { kind: 'Campaign', metadata: { name: 'acme.c', resourceVersion: 'newest' } },
    advertiser,
  );
  assert.equal(status, 422);
  assert.deepEqual(
    json.details.causes.map(({ field, message }: { field: string; message: string }) => `${field}: ${message}`),
    [
      'spec.objects[1].kind: no kind "Campain" in version "ads.backline.dev/v1" is known: see kubectl api-resources',
      'spec.objects[2].kind: a Secret cannot be in a draft: it is sealed where it is stored, and a draft is not',
      'spec.objects[3].metadata.name: Required value: a text',
      'spec.objects[4].apiVersion: Required value: a text',
      'spec.objects[4].metadata.resourceVersion: must be the text of metadata.resourceVersion of the object that the draft builds on',
      'spec.objects[5].metadata.name: is in the draft twice: also as objects[0]',
    ],
  );
  const nested = await save(draftOf('y', [advertiser]));
  assert.match(nested.json.message, /a Draft cannot be in a draft: drafts are not nested/);
  assert.equal((await save(5)).status, 422);
  assert.equal((await save()).status, 422);
});

test('D6: of an account its agency sees and publishes only its own drafts, and learns nothing of others', async (t) => {
  const { call, save } = await startDesk(t, 'ann-token-1234,ann,1,agency-acme\n');
  const ann = { token: 'ann-token-1234' };
  const manifest = decodeManifests(await readFile('docs/how-to/give-rights-to-an-account.md', 'utf8').then(yamlIn));
  for (const { value } of manifest) {
    const own = JSON.parse(JSON.stringify(value).replaceAll('agency-north', 'agency-acme')) as { kind: string };
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/default/${own.kind.toLowerCase()}s`;
    const made = await call('POST', path, { body: own });
    assert.equal(made.status, 201, made.text);
  }
  const [advertiser, ...own] = hierarchy('acme');
  assert.equal((await call('POST', `${ADS}/advertisers`, { body: advertiser })).status, 201);
  const theirs = hierarchy('bolt');
  for (const object of theirs) {
    const { kind } = object as { kind: string };
    assert.equal((await call('POST', `${ADS}/${kind.toLowerCase()}s`, { body: object })).status, 201);
  }
  const foreign = await save('theirs', theirs, 'bolt');
  const asAnn = async (name: string, part: 'validate' | 'publish', body: object) =>
    call('POST', `${DRAFTS}/${name}/${part}`, { body, ...ann });

  // Drafts of others are as if they were not there.
  for (const account of ['bolt', undefined]) {
    const refused = await call('POST', DRAFTS, {
      body: draftOf('x', own, account === undefined ? {} : { account }),
      ...ann,
    });
    assert.equal(refused.status, 403, refused.text);
  }
  const answersTo = async (name: string, uid: string) => [
    (await call('GET', `${DRAFTS}/${name}`, ann)).text,
    (await asAnn(name, 'validate', VALIDATION)).text,
    (await asAnn(name, 'publish', publicationOf({ uid }))).text,
  ];
  const ofTheirs = await answersTo('theirs', foreign.uid);
  const ofAbsent = await answersTo('absent', foreign.uid);
  assert.deepEqual(
    ofTheirs,
    ofAbsent.map((text) => text.replaceAll('absent', 'theirs')),
  );
  assert.match(ofTheirs[2] ?? '', /not found among those with fieldSelector=spec\.account=acme/);
  assert.deepEqual((await call('GET', DRAFTS, ann)).json.items, []);

  // Objects of another account in a draft of its own: an object that is there, one of the right version, and none answer alike.
  const bolt = (await call('GET', `${ADS}/campaigns/bolt.c`)).json;
  const foreignCampaign = (name: string, metadata: object, account: string) => ({
    ...bolt,
    metadata: { name, namespace: 'default', ...metadata },
    spec: { account, title: 'Mine' },
  });
  for (const account of ['acme', 'bolt', 'void']) {
    for (const metadata of [{}, { resourceVersion: bolt.metadata.resourceVersion }, { resourceVersion: '7' }]) {
      const answers = [];
      for (const name of ['bolt.c', 'void.c']) {
        const owner = account === 'bolt' ? name.replace('.c', '') : account;
        const objects = [...own, foreignCampaign(name, metadata, owner)];
        const saved = await call('POST', DRAFTS, { body: draftOf('mine', objects, { account: 'acme' }), ...ann });
        assert.equal(saved.status, 201, saved.text);
        const { uid } = saved.json.metadata;
        const validated = await asAnn('mine', 'validate', VALIDATION);
        assert.equal(validated.json.status.valid, false);
        const published = await asAnn('mine', 'publish', publicationOf({ uid }));
        assert.ok([403, 409, 422].includes(published.status), published.text);
        answers.push({ problems: validated.json.status.problems, message: published.json.message });
        assert.equal((await call('DELETE', `${DRAFTS}/mine`, ann)).status, 200);
      }
      assert.deepEqual(
        JSON.parse(JSON.stringify(answers[0]).replaceAll('bolt', 'void')),
        answers[1],
        `${account} ${JSON.stringify(metadata)}`,
      );
    }
  }
  // Without a right to the object, nothing else about it matters.
  const notes = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'notes' }, data: {}, colour: 'red' };
  const body = draftOf('notes', [notes], { account: 'acme' });
  assert.equal((await call('POST', DRAFTS, { body, ...ann })).status, 201);
  const [problem, ...more] = (await asAnn('notes', 'validate', VALIDATION)).json.status.problems;
  assert.match(problem.message, /^configmaps is forbidden: User "ann" cannot create resource "configmaps"/);
  assert.deepEqual(more, []);

  assert.deepEqual((await call('GET', `${ADS}/campaigns/bolt.c`)).json, bolt);
  assert.equal((await call('GET', `${ADS}/campaigns/acme.c`)).status, 404, 'nor was anything else written');

  // Its own draft goes live, though it may not even delete drafts; and the repetition is answered.
  const mine = await call('POST', DRAFTS, { body: draftOf('mine', own, { account: 'acme' }), ...ann });
  const published = await asAnn('mine', 'publish', publicationOf({ uid: mine.json.metadata.uid }));
  assert.equal(published.status, 201, published.text);
  assert.equal((await asAnn('mine', 'publish', publicationOf({ uid: mine.json.metadata.uid }))).text, published.text);
});

test('drafts that nobody has written for 90 days are deleted, and those that were saved again are not', async (t) => {
  const nowMs = { value: Date.parse('2027-01-01T00:00:00Z') };
  const clock: Clock = () => Temporal.Instant.fromEpochMilliseconds(nowMs.value);
  const { call, running } = await startWorld(t, { roles: ['api'], clock });
  const days = (count: number) => (nowMs.value += count * 24 * 3_600_000);
  const objects = hierarchy('acme');
  for (const name of ['old', 'touched'])
    assert.equal((await call('POST', DRAFTS, { body: draftOf(name, objects) })).status, 201);
  days(60);
  const touched = (await call('GET', `${DRAFTS}/touched`)).json;
  assert.equal(
    (await call('PUT', `${DRAFTS}/touched`, { body: { ...touched, spec: { ...touched.spec, title: 'New' } } })).status,
    200,
  );
  const store = running.control?.store ?? assert.fail('no store');
  days(29);
  assert.equal(await tidyDrafts(store, clock()), 0);
  days(2);
  assert.equal(await tidyDrafts(store, clock()), 1);
  assert.deepEqual(
    (await call('GET', DRAFTS)).json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
    ['touched'],
  );
});

test('while an object has fields of wrong types, checks between objects are pending, and the answer states that', async (t) => {
  const { save, call } = await startDesk(t);
  const objects = hierarchy('acme').map((object) => {
    const { kind, spec } = object as { kind: string; spec: object };
    return kind === 'AdSet' ? { ...object, spec: { ...spec, bid: 9 } } : object;
  });
  await save('spring', objects);
  const { status } = (await call('POST', `${DRAFTS}/spring/validate`, { body: VALIDATION })).json;
  assert.deepEqual(
    status.problems.map(({ position, field }: DraftProblem) => [position, field]),
    [[2, 'spec.bid']],
  );
  assert.equal(
    status.pending,
    'Whether the objects fit each other is checked once each of them has fields of the right types.',
  );
});

test('D5: a publication that another one of the draft overtakes is answered by it, not by the objects that it changed', async (t) => {
  const { save, publish, call } = await startDesk(t);
  const campaigns = campaignsOf(60);
  const made = await call('POST', CHANGE_SETS, { body: changeSet(hierarchy('acme')[0] as object, ...campaigns) });
  assert.equal(made.status, 201, made.text);
  for (let round = 1; round <= 3; round += 1) {
    const declared: readonly (typeof campaigns)[number][] = (await call('GET', `${ADS}/campaigns`)).json.items;
    const { uid } = await save(
      `round-${round}`,
      declared.map((object) => ({
        ...object,
        apiVersion: 'ads.backline.dev/v1',
        kind: 'Campaign',
        spec: { ...object.spec, title: `Round ${round}` },
      })),
    );
    const all = await Promise.all(Array.from({ length: 16 }, () => publish(`round-${round}`, uid)));
    assert.deepEqual(
      new Set(all.map(({ status, text }) => `${status} ${text}`)).size,
      1,
      all.map(({ json }) => json.message).join('\n'),
    );
    assert.equal(all[0]?.status, 201);
  }
});

test('D2: an object that is deleted while a draft is reviewed is reported as deleted, and nothing else of it', async (t) => {
  const { save, problems, call } = await startDesk(t);
  const made = await call('POST', CHANGE_SETS, { body: changeSet(hierarchy('acme')[0] as object, ...campaignsOf(60)) });
  assert.equal(made.status, 201, made.text);
  const declared: ReturnType<typeof campaignsOf> = (await call('GET', `${ADS}/campaigns`)).json.items;
  await save(
    'spring',
    declared.map((object) => ({ ...object, apiVersion: 'ads.backline.dev/v1', kind: 'Campaign' })),
  );
  for (const { metadata } of declared.slice(0, 20)) {
    const [, ...answers] = await Promise.all([
      call('DELETE', `${ADS}/campaigns/${metadata.name}`),
      ...Array.from({ length: 4 }, () => problems('spring')),
    ]);
    for (const found of answers.flat()) assert.match(found.message, /^It was deleted by admin at /);
  }
});

test('whatever is in a draft, it is refused as it is written, or validated: never a fault of the server', async (t) => {
  const { call } = await startDesk(t);
  const odd = fc.oneof(fc.constant('acme'), fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }));
  const mostly = (usual: fc.Arbitrary<unknown>) => fc.oneof({ weight: 40, arbitrary: usual }, odd);
  const texts = fc.dictionary(fc.string({ maxLength: 5 }), odd, { maxKeys: 2 });
  const metadata = fc.record(
    {
      name: mostly(fc.constantFrom('acme.a', 'acme.b', 'a b', 'x')),
      namespace: mostly(fc.constantFrom('default', 'absent', '')),
      resourceVersion: mostly(fc.constantFrom('', '1', '12')),
      labels: mostly(texts),
      annotations: mostly(texts),
      finalizers: odd,
      ownerReferences: odd,
      uid: odd,
      deletionTimestamp: odd,
    },
    { requiredKeys: ['name'] },
  );
  const types = [
    ...['Campaign', 'AdSet', 'Ad', 'Placement', 'Advertiser'].map((kind) => ['ads.backline.dev/v1', kind]),
    ...['ConfigMap', 'Namespace'].map((kind) => ['v1', kind]),
    ['rbac.authorization.k8s.io/v1', 'Role'],
  ] as const;
  const fields = { account: odd, campaign: odd, adSet: odd, asset: odd, bid: odd, placements: odd, title: odd };
  const spec = mostly(fc.record(fields, { requiredKeys: [] }));
  const more = fc.record({ metadata: mostly(metadata), spec, data: odd }, { requiredKeys: ['metadata'] });
  const object = fc
    .tuple(mostly(fc.constantFrom(...types)), more)
    .map(([type, rest]) =>
      Array.isArray(type) ? { apiVersion: type[0], kind: type[1], ...rest } : { kind: type, ...rest },
    );
  let validated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(object, { minLength: 1, maxLength: 2 }), async (objects) => {
      const saved = await call('POST', DRAFTS, { body: draftOf('odd', objects) });
      assert.ok([201, 400, 422].includes(saved.status), saved.text);
      if (saved.status !== 201) return;
      validated += 1;
      const review = await call('POST', `${DRAFTS}/odd/validate`, { body: VALIDATION });
      assert.equal(review.status, 201, review.text);
      const body = publicationOf({ uid: saved.json.metadata.uid });
      const published = await call('POST', `${DRAFTS}/odd/publish`, { body });
      assert.equal(published.status === 201, review.json.status.valid, `${review.text} ${published.text}`);
      assert.ok(published.status < 500, published.text);
      if (published.status !== 201) await call('DELETE', `${DRAFTS}/odd`);
    }),
    { numRuns: amount({ usual: 300, long: 5_000 }) },
  );
  t.diagnostic(`${validated} drafts`);
  assert.ok(validated > 5, `${validated} drafts`);
});

test('no account takes the room of all drafts', async (t) => {
  const { call, save } = await startDesk(t);
  const objects = campaignsOf(1);
  for (let count = 0; count < 50; count += 1) await save(`acme-${count}`, objects, 'acme');
  const refused = await call('POST', DRAFTS, { body: draftOf('one-more', objects, { account: 'acme' }) });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.message, /^account acme in namespace default has 50 drafts, and may have 50\. Delete /);
  await save('theirs', objects, 'bolt');
});
