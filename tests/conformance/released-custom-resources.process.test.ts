import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { startDecisionNode, startWorld, type Answer } from '../support/backline.ts';
import { publicationOf } from '../support/drafts.ts';
import { changeSet, CHANGE_SETS, flag } from '../support/flags.ts';
import { until, type Json } from '../support/installation.ts';
import {
  DEFINITIONS,
  RELEASES,
  POLICIES,
  WIDGETS,
  MERGE,
  SLOW,
  definition,
  versionOf,
  widget,
  policy,
  deskOf,
} from '../support/released-kinds.ts';
import { startOther } from '../support/start-other.ts';

test('objects of a kind with the annotation go live by releases', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers', 'decide'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();

  await t.test('without a policy at once, with a record, and a column', async () => {
    await request('POST', WIDGETS, widget('a', 1));
    await desk.live('a');
    assert.deepEqual(await sizesOf('a'), [['everyone', 1]]);
    assert.deepEqual(
      (await desk.releases()).map(({ status }) => status.phase),
      ['Promoted'],
    );
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const { json } = await world.call('GET', WIDGETS, { headers });
    assert.deepEqual(
      [json.columnDefinitions.map(({ name }: Json) => name), json.rows[0].cells.slice(0, 2)],
      [
        ['Name', 'Live', 'Age'],
        ['a', 'True'],
      ],
    );
  });

  await t.test('with a policy by stages, and back by a rollback, which pins', async () => {
    await request('POST', POLICIES, policy({ stages: SLOW }));
    await request('PATCH', `${WIDGETS}/a`, { spec: { size: 2 } }, MERGE);
    await desk.becomes(`${WIDGETS}/a`, 'Live', 'InRelease');
    const { status } = await request('GET', `${WIDGETS}/a`);
    await until(
      async () => ((await sizesOf('a'))?.length === 2 ? true : undefined),
      () => 'two revisions',
      20,
    );
    assert.deepEqual(await sizesOf('a'), [
      ['everyone', 1],
      ['cohort', 2],
    ]);
    assert.equal((await desk.command(status.release, 'rollback', { reason: 'Too large.' })).status, 201);
    await desk.phase(status.release, 'RolledBack');
    await desk.live('a');
    assert.equal((await request('GET', `${WIDGETS}/a`)).spec.size, 1);
    const again = await desk.change(`${WIDGETS}/a`, { spec: { size: 2 } });
    assert.equal(again.status, 409);
    assert.match(again.text, /pinned/);
  });
});

test('a release of a defined kind is planned, held by a freeze, deleted by, and rolled back after its end', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();
  await request('POST', WIDGETS, widget('a', 1));
  await desk.live('a');
  await request('POST', POLICIES, policy());

  await t.test('a plan says how it is released', async () => {
    const planned = await request('POST', `${CHANGE_SETS}?dryRun=All`, changeSet(widget('a', 2), widget('b', 1)));
    const { policy: by, results } = planned.status;
    assert.deepEqual(
      [by.name, results.map(({ name, action, fields }: Json) => [name, action, fields[0]])],
      [
        'careful',
        [
          ['a', 'configured', { path: 'spec.size', before: 1, after: 2 }],
          ['b', 'created', { path: 'spec.size', after: 1 }],
        ],
      ],
    );
  });

  await t.test('both go live by one release', async () => {
    await request('POST', CHANGE_SETS, changeSet(widget('a', 2), widget('b', 1)));
    await desk.live('a');
    await desk.live('b');
    assert.deepEqual([await sizesOf('a'), await sizesOf('b')], [[['everyone', 2]], [['everyone', 1]]]);
  });

  await t.test('a promoted release is rolled back by another one', async () => {
    const { status } = await request('GET', `${WIDGETS}/a`);
    const back = await desk.command(status.release ?? (await desk.releases()).at(-1).metadata.name, 'rollback', {
      reason: 'No.',
    });
    assert.equal(back.status, 201, back.text);
    await until(
      async () => ((await sizesOf('a'))?.[0]?.[1] === 1 ? true : undefined),
      () => 'the size of before',
      20,
    );
    assert.equal((await world.call('GET', `${WIDGETS}/b`)).status, 404);
    assert.equal(await sizesOf('b'), undefined);
    await desk.live('a');
  });

  await t.test('a freeze holds it', async () => {
    const freeze = {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'Freeze',
      metadata: { name: 'night' },
      spec: {
        selector: { kinds: ['stock.example/Widget'] },
        timeZone: 'UTC',
        start: '2020-01-01T00:00:00',
        end: '2100-01-01T00:00:00',
        reason: 'Nobody is here.',
        owner: 'ann',
      },
    };
    await request('POST', '/apis/releases.backline.dev/v1/freezes', freeze);
    await request('PATCH', `${WIDGETS}/a`, { spec: { size: 3 } }, MERGE);
    const { message } = await desk.becomes(`${WIDGETS}/a`, 'Live', 'InRelease');
    const name = /release (\S+)\./.exec(message)?.[1] ?? assert.fail(message);
    await until(
      async () =>
        (await request('GET', `${RELEASES}/${name}`)).status.message.startsWith('Freeze night') ? true : undefined,
      () => 'the freeze to hold it',
      20,
    );
    assert.deepEqual(await sizesOf('a'), [['everyone', 1]]);
    await request('DELETE', '/apis/releases.backline.dev/v1/freezes/night');
    await desk.live('a');
    assert.deepEqual(await sizesOf('a'), [['everyone', 3]]);
  });

  await t.test('a deletion is released, and its rollback declares the object again', async () => {
    await request('PATCH', `${POLICIES}/careful`, { spec: { stages: SLOW } }, MERGE);
    await request('DELETE', `${WIDGETS}/a`);
    const open = await until(
      async () => (await desk.releases()).find(({ status }) => status.phase === 'Progressing'),
      () => 'a release of the deletion',
      20,
    );
    assert.deepEqual((await sizesOf('a'))?.[0], ['everyone', 3]);
    const io = fakeIo({ directory: world.dataDirectory });
    const env = { BACKLINE_KUBECONFIG: world.running.kubeconfigFile };
    assert.equal(await runCommandLine(['get', 'widget', 'a', '-n', 'default'], { ...io, env }), 1);
    assert.match(io.written.stderr, /Widget "a" was deleted and is kept live: Included in release default-a-\d+\./);
    assert.equal((await desk.command(open.metadata.name, 'rollback', { reason: 'It is used.' })).status, 201);
    await desk.phase(open.metadata.name, 'RolledBack');
    assert.equal((await request('GET', `${WIDGETS}/a`)).spec.size, 3);
  });
});

test('a live spec that a new schema refuses is reported, and keeps no release from being taken back', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();
  await request('POST', WIDGETS, widget('a', 1));
  await request('POST', WIDGETS, widget('b', 1));
  await desk.live('a');
  await desk.live('b');
  await request('POST', POLICIES, policy({ stages: SLOW }));
  await request('PATCH', `${WIDGETS}/a`, { spec: { size: 20 } }, MERGE);
  await request('PATCH', `${WIDGETS}/b`, { spec: { size: 5 } }, MERGE);
  const nameOf = async (widgetName: string): Promise<string> => {
    const { message } = await desk.becomes(`${WIDGETS}/${widgetName}`, 'Live', 'InRelease');
    return /release (\S+)\./.exec(message)?.[1] ?? assert.fail(message);
  };
  const [ofA, ofB] = [await nameOf('a'), await nameOf('b')];
  const at = `${DEFINITIONS}/widgets.stock.example`;
  const color = { color: { type: 'string', default: 'red' } };
  const stricter = { ...color, size: { type: 'integer', minimum: 10 } };
  await request('PATCH', at, { spec: { versions: [versionOf({ spec: stricter })] } }, MERGE);

  await t.test('a release of a spec that it refuses does not come to everyone', async () => {
    const { message } = await until(
      async () => {
        await desk.command(ofB, 'promote', { reason: 'Quickly.' });
        const { status } = await request('GET', `${RELEASES}/${ofB}`);
        return /spec\.size/.test(status.message) ? status : undefined;
      },
      () => `release ${ofB} to name the field`,
      20,
    );
    assert.match(message, /should be greater than or equal to 10/);
  });

  await t.test('a rollback declares the live spec to the letter', async () => {
    assert.equal((await desk.command(ofA, 'rollback', { reason: 'Too large.' })).status, 201);
    await desk.phase(ofA, 'RolledBack');
    const { message } = await desk.becomes(`${WIDGETS}/a`, 'Live', 'NoLongerAccepted');
    assert.match(message, /live but no longer valid; change it: spec\.size/);
    const { spec, status } = await request('GET', `${WIDGETS}/a`);
    assert.deepEqual(spec, { size: 1, color: 'red' });
    assert.equal(status.liveRevision, (await desk.headOf('widgets.stock.example.default.a')).live[0].revision);
    assert.deepEqual((await desk.headOf('widgets.stock.example.default.a')).live[0].spec, { size: 1 });
  });

  await t.test('so does one that has to create the object again', async () => {
    await request('DELETE', `${WIDGETS}/a`);
    const open = await until(
      async () =>
        (await desk.releases()).find(
          ({ spec, status }) => spec.open && status.stage === 'few' && spec.objects[0].name === 'default/a',
        ),
      () => 'a release of the deletion',
      20,
    );
    assert.equal((await desk.command(open.metadata.name, 'rollback', { reason: 'No.' })).status, 201);
    await desk.phase(open.metadata.name, 'RolledBack');
    await desk.becomes(`${WIDGETS}/a`, 'Live', 'NoLongerAccepted');
    assert.deepEqual(await sizesOf('a'), [['everyone', 1]]);
  });

  await t.test('with a schema that takes it again, the status has nothing more to say', async () => {
    await request('PATCH', at, { spec: { versions: [versionOf({})] } }, MERGE);
    await desk.becomes(`${WIDGETS}/a`, 'Live', 'Released');
    await until(
      async () => ((await sizesOf('b'))?.length === 1 ? true : undefined),
      () => 'the release of b to go on',
      20,
    );
    assert.deepEqual(await sizesOf('b'), [['everyone', 5]]);
  });
});

test('live specs stay as they are when the storage version changes', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();
  await request('POST', WIDGETS, widget('a', 1));
  await desk.live('a');
  const at = `${DEFINITIONS}/widgets.stock.example`;
  const older = versionOf({ version: { storage: false } });
  const newer = versionOf({ version: { name: 'v2' } });

  await t.test('without a webhook nothing of a spec changes', async () => {
    await request('PATCH', at, { spec: { versions: [older, newer] } }, MERGE);
    const path = WIDGETS.replace('/v1/', '/v2/');
    const { metadata } = await request('GET', `${path}/a`);
    await request('PATCH', `${path}/a`, { metadata: { labels: { moved: 'yes' } } }, MERGE);
    assert.equal((await request('GET', `${path}/a`)).metadata.generation, metadata.generation);
    await until(
      async () => ((await desk.headOf('widgets.stock.example.default.a')).labels.moved === 'yes' ? true : undefined),
      () => 'the label to be live',
      20,
    );
    assert.deepEqual(await sizesOf('a'), [['everyone', 1]]);
    await desk.live('a');
    const [last] = (await desk.releases()).toSorted((a, b) => b.spec.number - a.spec.number);
    assert.equal((await desk.command(last.metadata.name, 'rollback', { reason: 'No.' })).status, 201);
    await until(
      async () => ((await request('GET', `${WIDGETS}/a`)).metadata.labels?.moved === undefined ? true : undefined),
      () => 'the label to be gone',
      20,
    );
  });

  await t.test('a webhook that would rewrite them is refused', async () => {
    const webhook = { clientConfig: { url: 'https://convert.example/' }, conversionReviewVersions: ['v1'] };
    const refused = await desk.change(at, { spec: { conversion: { strategy: 'Webhook', webhook } } });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /spec\.conversion\.strategy: Forbidden: .* stored in v1, and would be of v2/);
  });
});

test('objects of the cluster, and of one name in two namespaces, are live for themselves', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();
  await desk.define({ plural: 'racks', kind: 'Rack', scope: 'Cluster' });
  await request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'depot' } });
  await request('POST', WIDGETS, widget('a', 1));
  await request('POST', WIDGETS.replace('default', 'depot'), { ...widget('a', 2), metadata: { name: 'a' } });
  const racks = '/apis/stock.example/v1/racks';
  await request('POST', racks, {
    apiVersion: 'stock.example/v1',
    kind: 'Rack',
    metadata: { name: 'x.y' },
    spec: { size: 3 },
  });
  await desk.live('a');
  await desk.becomes(`${racks}/x.y`, 'Live', 'Released');
  await desk.becomes(`${WIDGETS.replace('default', 'depot')}/a`, 'Live', 'Released');
  const places = ['widgets.stock.example.default.a', 'widgets.stock.example.depot.a', 'racks.stock.example.x.y'];
  const sizes = async () => Promise.all(places.map(async (place) => (await sizesOf('', place))?.[0]?.[1]));
  assert.deepEqual(await sizes(), [1, 2, 3]);
  await request('DELETE', '/api/v1/namespaces/depot');
  await until(
    async () => ((await sizes())[1] === undefined ? true : undefined),
    () => 'the Head in depot to go',
    20,
  );
  assert.deepEqual(await sizes(), [1, undefined, 3]);
});

test('every process of an installation has the kind released, also after a restart', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  const { dataDirectory, databaseUrl, connection } = world;
  const node = await startDecisionNode(t, world);
  await startOther(t, { dataDirectory, follow: connection });
  const other = await startOther(t, { dataDirectory, databaseUrl });
  const otherDesk = deskOf({ call: other.call });
  await desk.define();
  await otherDesk.request(
    'POST',
    POLICIES,
    policy({ stages: SLOW, selector: { kinds: ['Widget'], matchLabels: { by: 'policy' } } }),
  );

  await t.test('a write of another process goes live, and by a policy in stages', async () => {
    await otherDesk.request('POST', WIDGETS, widget('a', 1));
    await otherDesk.live('a');
    await otherDesk.request('POST', WIDGETS, widget('b', 1, { by: 'policy' }));
    await otherDesk.becomes(`${WIDGETS}/b`, 'Live', 'InRelease');
    assert.equal((await other.call('POST', WIDGETS, { body: widget('l'.repeat(230), 1) })).status, 422);
    await until(
      async () => ((await sizesOf('b'))?.length === 1 ? true : undefined),
      () => 'the first stage',
      20,
    );
    assert.deepEqual(await sizesOf('b'), [['cohort', 1]]);
  });

  await t.test('a decision node answers, and has nothing to do with it', async () => {
    const night = await request('POST', CHANGE_SETS, changeSet(flag('night')));
    assert.equal(night.status.results[0].action, 'created');
    const path = '/ofrep/v1/evaluate/flags/night';
    await until(
      async () => ((await node.call('POST', path, { body: { context: {} } })).json.value === 'A' ? true : undefined),
      () => 'a flag that came after the Heads of widgets',
      20,
    );
  });

  await t.test('after a restart the release is where it was, and is rolled back', async () => {
    await world.restart();
    const open = (await desk.releases()).find(({ spec }) => spec.open) ?? assert.fail();
    assert.deepEqual(await sizesOf('b'), [['cohort', 1]]);
    assert.equal((await desk.conditionOf(`${WIDGETS}/a`, 'Live')).status, 'True');
    assert.equal((await desk.command(open.metadata.name, 'rollback', { reason: 'No.' })).status, 201);
    await desk.phase(open.metadata.name, 'RolledBack');
    assert.equal((await otherDesk.request('GET', WIDGETS)).items.length, 1);
    await otherDesk.request('PATCH', `${WIDGETS}/a`, { spec: { size: 7 } }, MERGE);
    await until(
      async () => ((await sizesOf('a'))?.[0]?.[1] === 7 ? true : undefined),
      () => 'size 7',
      20,
    );
  });

  await t.test('its end reaches every process', async () => {
    assert.equal((await otherDesk.annotate(null)).status, 200);
    await otherDesk.becomes(`${DEFINITIONS}/widgets.stock.example`, 'Released', undefined);
    await otherDesk.request('POST', WIDGETS, widget('l'.repeat(230), 1));
    assert.equal(await sizesOf('a'), undefined);
    assert.deepEqual(
      (await otherDesk.request('GET', WIDGETS)).items.map(({ status }: Json) => status),
      [undefined, undefined],
    );
  });
});

test('the condition Live stands beside the status of another controller', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request } = desk;
  const condition = {
    type: 'object',
    properties: { type: { type: 'string' } },
    'x-kubernetes-preserve-unknown-fields': true,
  };
  const status = {
    type: 'object',
    properties: { ready: { type: 'integer' }, conditions: { type: 'array', items: condition } },
  };
  const made = definition();
  Object.assign(made.spec.versions[0]?.schema.openAPIV3Schema.properties ?? assert.fail(), { status });
  await request('POST', DEFINITIONS, made);
  await desk.becomes(`${DEFINITIONS}/widgets.stock.example`, 'Released', 'Released');
  await request('POST', WIDGETS, widget('a', 1));
  await desk.live('a');
  const own = { type: 'Ready', status: 'True', reason: 'Enough' };
  await request('PATCH', `${WIDGETS}/a/status`, { status: { ready: 3, conditions: [own] } }, MERGE);
  await desk.live('a');
  const { status: now } = await request('GET', `${WIDGETS}/a`);
  assert.deepEqual([now.ready, now.conditions.map(({ type }: Json) => type)], [3, ['Live', 'Ready']]);
  assert.equal((await desk.annotate(null)).status, 200);
  await desk.becomes(`${DEFINITIONS}/widgets.stock.example`, 'Released', undefined);
  const { status: after } = await request('GET', `${WIDGETS}/a`);
  assert.deepEqual(after, { ready: 3, conditions: [own] });
});

test('a draft of a defined kind is published, and released like any other write', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request } = desk;
  await desk.define();
  await request('POST', POLICIES, policy({ stages: SLOW }));
  const drafts = '/apis/releases.backline.dev/v1/namespaces/default/drafts';
  const identity = { apiVersion: 'releases.backline.dev/v1', kind: 'Draft' };
  const made = await request('POST', drafts, {
    ...identity,
    metadata: { name: 'plan' },
    spec: { objects: [widget('a', 0)] },
  });
  const { uid } = made.metadata;
  const publish = (): Promise<Answer> => world.call('POST', `${drafts}/plan/publish`, { body: publicationOf({ uid }) });
  const refused = await publish();
  assert.equal(refused.status, 422, refused.text);
  assert.match(refused.text, /greater than or equal to 1/);
  await request('PATCH', `${drafts}/plan`, { spec: { objects: [widget('a', 2)] } }, MERGE);
  const published = await publish();
  assert.equal(published.status, 201, published.text);
  await desk.becomes(`${WIDGETS}/a`, 'Live', 'InRelease');
});
