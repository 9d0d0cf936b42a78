import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until, type Json } from '../support/installation.ts';
import {
  DEFINITIONS,
  HEADS,
  POLICIES,
  WIDGETS,
  MERGE,
  SLOW,
  definition,
  widget,
  policy,
  deskOf,
  type Shape,
} from '../support/released-kinds.ts';

test('objects that are there go live as they are when a definition gets the annotation', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define({ released: '' });
  await request('POST', POLICIES, policy({ selector: { matchLabels: { by: 'policy' } }, stages: SLOW }));
  const long = 'l'.repeat(230);
  for (const name of ['a', 'b', long]) await request('POST', WIDGETS, widget(name, 1, { by: 'policy' }));
  const at = `${DEFINITIONS}/widgets.stock.example`;

  await t.test('none of them, as long as one cannot', async () => {
    assert.equal((await desk.annotate('true')).status, 200);
    const { message } = await desk.becomes(at, 'Released', 'NotReleasable');
    assert.match(message, /Widget "default\/l+": the name of its Head would have 260 characters, and may have 253\. /);
    assert.deepEqual(
      (await request('GET', HEADS)).items
        .map(({ metadata }: Json) => metadata.name)
        .filter((name: string) => name.startsWith('widgets.')),
      [],
    );
    assert.equal(await desk.conditionOf(`${WIDGETS}/a`, 'Live'), undefined);
  });

  await t.test('all of them, also those that a policy selects', async () => {
    await request('DELETE', `${WIDGETS}/${long}`);
    await desk.becomes(at, 'Released', 'Released');
    for (const name of ['a', 'b']) {
      await desk.live(name);
      assert.deepEqual(await sizesOf(name), [['everyone', 1]]);
    }
    assert.deepEqual(await desk.releases(), []);
    const refused = await world.call('POST', WIDGETS, { body: widget(long, 1) });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /use at most 223/);
  });

  await t.test('the first change of one is released, and taken back after its end', async () => {
    await request('PATCH', `${POLICIES}/careful`, { spec: { stages: policy().spec.stages } }, MERGE);
    await request('PATCH', `${WIDGETS}/a`, { spec: { size: 2 } }, MERGE);
    await until(
      async () => ((await sizesOf('a'))?.[0]?.[1] === 2 ? true : undefined),
      () => 'size 2',
      20,
    );
    const [release] = await desk.releases();
    await desk.phase(release.metadata.name, 'Promoted');
    const back = await desk.command(release.metadata.name, 'rollback', { reason: 'No.' });
    assert.equal(back.status, 201, back.text);
    await until(
      async () => ((await sizesOf('a'))?.[0]?.[1] === 1 ? true : undefined),
      () => 'size 1',
      20,
    );
  });
});

test('a definition that loses the annotation ends Heads and statuses, and may get it again', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request, sizesOf } = desk;
  await desk.define();
  await request('POST', WIDGETS, widget('a', 1));
  await desk.live('a');
  await request('POST', POLICIES, policy({ stages: SLOW }));
  await request('PATCH', `${WIDGETS}/a`, { spec: { size: 2 } }, MERGE);
  const { message } = await desk.becomes(`${WIDGETS}/a`, 'Live', 'InRelease');
  const name = /release (\S+)\./.exec(message)?.[1] ?? assert.fail(message);
  const at = `${DEFINITIONS}/widgets.stock.example`;

  await t.test('not while a release carries its objects', async () => {
    for (const answer of [await desk.annotate(null), await desk.annotate('false'), await world.call('DELETE', at)]) {
      assert.equal(answer.status, 409, answer.text);
      assert.match(answer.text, new RegExp(`objects of the kind Widget are in 1 open release: ${name}`));
    }
    assert.equal((await desk.conditionOf(at, 'Released')).status, 'True');
  });

  await t.test('then its objects are declared, and nothing more', async () => {
    assert.equal((await desk.command(name, 'abort', { reason: 'Enough.' })).status, 201);
    await desk.phase(name, 'Aborted');
    assert.equal((await desk.annotate(null)).status, 200);
    await desk.becomes(at, 'Released', undefined);
    assert.equal(await sizesOf('a'), undefined);
    const { status, spec } = await request('GET', `${WIDGETS}/a`);
    assert.deepEqual([status, spec], [undefined, { size: 1 }]);
    await request('PATCH', `${WIDGETS}/a`, { spec: { size: 4 } }, MERGE);
    const refused = await desk.command(name, 'unpin');
    assert.equal(refused.status, 409);
    assert.match(refused.text, /Objects of the kind stock\.example\/Widget are no longer released/);
  });

  await t.test('with the annotation they are live again, as they are then', async () => {
    assert.equal((await desk.annotate('listeners')).status, 200);
    await desk.becomes(at, 'Released', 'Released');
    await desk.live('a');
    assert.deepEqual(await sizesOf('a'), [['everyone', 4]]);
  });

  await t.test('a definition is not deleted with what is live', async () => {
    const refused = await world.call('DELETE', at);
    assert.equal(refused.status, 409);
    assert.match(refused.text, /cannot be deleted: 1 live Widget: default\/a would be gone at once/);
    assert.equal((await desk.annotate(null)).status, 200);
    await until(
      async () => ((await world.call('DELETE', at)).status === 200 ? true : undefined),
      () => 'the deletion',
      20,
    );
    await until(
      async () => ((await world.call('GET', at)).status === 404 ? true : undefined),
      () => 'its end',
      20,
    );
    assert.deepEqual(
      (await request('GET', HEADS)).items.filter(({ metadata }: Json) => metadata.name.startsWith('widgets.')),
      [],
    );
  });
});

test('definitions whose objects cannot be released are refused', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const refusal = async (shape: Shape, change: (made: Json) => void = () => {}): Promise<string> => {
    const body = definition(shape);
    change(body);
    const answer = await world.call('POST', DEFINITIONS, { body });
    assert.equal(answer.status, 422, answer.text);
    assert.equal((await world.call('GET', `${DEFINITIONS}/${body.metadata.name}`)).status, 404);
    return answer.json.message;
  };
  const schemaIn = (made: Json): Json => made.spec.versions[0].schema.openAPIV3Schema;

  await t.test('by the target, with those that there are', async () => {
    for (const released of ['satellites', 'True', ' ', 'clusters']) {
      const text = await refusal({ released });
      assert.ok(text.includes(`Unsupported value: "${released}": supported values: "true", "false", `), text);
      assert.ok(text.includes('"listeners"'), text);
    }
  });

  await t.test('by what is not in the spec', async () => {
    assert.match(
      await refusal({}, (made) => delete schemaIn(made).required),
      /required: Required value: must have "spec"/,
    );
    assert.match(
      await refusal({}, (made) => (schemaIn(made).properties.data = { type: 'string' })),
      /properties\.data: Forbidden: only spec is released: move it there/,
    );
    assert.match(
      await refusal({}, (made) => (schemaIn(made).properties.spec.nullable = true)),
      /properties\.spec: Required value: an object that is no null/,
    );
    assert.match(
      await refusal({}, (made) => (schemaIn(made)['x-kubernetes-preserve-unknown-fields'] = true)),
      /preserve-unknown-fields\]: Forbidden: only spec is released/,
    );
  });

  await t.test('by a status without room', async () => {
    assert.match(
      await refusal({}, (made) => delete made.spec.versions[0].subresources),
      /subresources\.status: Required value: the condition Live .*: add \{\}/,
    );
    const conditions = { type: 'array', items: { type: 'string' } };
    assert.match(
      await refusal({}, (made) => (schemaIn(made).properties.status = { type: 'object', properties: { conditions } })),
      /properties\.status\.conditions\[0\]: Forbidden: the server writes .* the condition Live into it/,
    );
    const narrow = { type: 'array', items: { type: 'object', properties: { type: { type: 'string' } } } };
    assert.match(
      await refusal(
        {},
        (made) => (schemaIn(made).properties.status = { type: 'object', properties: { conditions: narrow } }),
      ),
      /properties\.status\.conditions\[0\]\.status: Forbidden: .*: it would be pruned/,
    );
  });

  await t.test('by names that Heads of another kind could have', async () => {
    await desk.define({ scope: 'Cluster' });
    assert.match(
      await refusal({ group: 'eu.stock.example.widgets', plural: 'widgets', kind: 'Widget' }, (made) => {
        made.metadata.name = 'widgets.stock.example.eu';
        made.spec.group = 'stock.example.eu';
      }),
      /Heads of its objects could have the names of Heads of widgets\.stock\.example: give it another plural or group/,
    );
    assert.match(
      await refusal({ plural: 'plans', group: 'products.backline.dev.stock.example', kind: 'Plan' }),
      /Heads of plans\.products\.backline\.dev/,
    );
    // Without the annotation nothing is in its way.
    await desk.define({ group: 'stock.example.eu', released: '' });
    assert.equal((await desk.annotate('true', 'widgets.stock.example.eu')).status, 422);
  });

  await t.test('a target is not changed while objects are released', async () => {
    assert.equal((await desk.annotate('listeners')).status, 200);
    const refused = await desk.annotate('satellites');
    assert.equal(refused.status, 422);
    assert.match(refused.text, /changes of its objects go to listeners: take the annotation away first/);
  });
});

test('a begun beginning, and a begun end, are completed by the next process', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request } = desk;
  await desk.define({ released: '' });
  const count = 1_200;
  const objects = Array.from({ length: count }, (_, index) => widget(`w${index}`, 1));
  await request('POST', CHANGE_SETS, changeSet(...objects));
  const at = `${DEFINITIONS}/widgets.stock.example`;
  const heads = async (): Promise<number> => {
    const query = `fieldSelector=${encodeURIComponent('spec.object.kind=stock.example/Widget')}`;
    return (await request('GET', `${HEADS}?${query}`)).items.length;
  };
  assert.equal((await desk.annotate('true')).status, 200);
  await world.restart();
  await desk.becomes(at, 'Released', 'Released');
  assert.equal(await heads(), count);
  await desk.live('w0');
  await desk.live(`w${count - 1}`);
  assert.equal((await desk.annotate(null)).status, 200);
  await world.restart();
  await desk.becomes(at, 'Released', undefined);
  assert.equal(await heads(), 0);
  const { items } = await request('GET', WIDGETS);
  assert.deepEqual([items.length, items.filter(({ status }: Json) => status?.liveRevision !== undefined)], [count, []]);
});

test('a definition is deleted after its objects, also with those that never were live', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const desk = deskOf(world);
  const { request } = desk;
  await desk.define();
  await request('POST', WIDGETS, widget('a', 1));
  await desk.live('a');
  await request('DELETE', `${WIDGETS}/a`);
  await until(
    async () => ((await desk.sizesOf('a')) === undefined ? true : undefined),
    () => 'a to be gone',
    20,
  );
  await request('POST', '/apis/releases.backline.dev/v1/stops', {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'Stop',
    metadata: { name: 'all' },
    spec: { reason: 'An incident.' },
  });
  await request('POST', WIDGETS, widget('b', 1));
  await desk.becomes(`${WIDGETS}/b`, 'Live', 'Stopped');
  const at = `${DEFINITIONS}/widgets.stock.example`;
  await request('DELETE', at);
  await until(
    async () => ((await world.call('GET', at)).status === 404 ? true : undefined),
    () => 'its end',
    20,
  );
  assert.equal((await world.call('GET', `${WIDGETS}/b`)).status, 404);
  await request('DELETE', '/apis/releases.backline.dev/v1/stops/all');
  // Defined again it is another kind, without objects, and the engine goes on.
  await desk.define();
  await request('POST', WIDGETS, widget('b', 2));
  await desk.live('b');
  assert.deepEqual(await desk.sizesOf('b'), [['everyone', 2]]);
});
