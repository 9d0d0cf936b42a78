import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import { openLog } from '#kernel/base/log.ts';
import { inOneStep } from '#kernel/base/turns.ts';
import { clientHeads } from '#kernel/snapshots/client-heads.ts';
import { followHeads } from '#kernel/snapshots/follow.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { MODULES } from '#planes/modules.ts';
import { kindsOf } from '#planes/parts/catalogue.ts';
import { startWorld } from '../support/backline.ts';
import { Ban, charts } from '../support/charts/module.ts';
import { changeSet, CHANGE_SETS, flag } from '../support/flags.ts';
import { until } from '../support/installation.ts';
import { RECORDS_CATALOGUE } from '../support/records-catalogue.ts';

const CHARTS = '/apis/charts.example.dev/v1/namespaces/default/charts';
const TOP = {
  apiVersion: 'charts.example.dev/v1',
  kind: 'Chart',
  metadata: { name: 'top' },
  spec: { title: 'Top', size: 2 },
};

/** The songs that are banned, as a follower knows them. */
const banned: DecisionModule<unknown> = {
  name: 'banned',
  kinds: [Ban],
  compile: (world) => inOneStep(() => [...world.list(Ban.id)].map((ban) => Ban.spec(ban).song).toSorted()),
  update: (_table, world) => inOneStep(() => [...world.list(Ban.id)].map((ban) => Ban.spec(ban).song).toSorted()),
  routes: [],
};

test('a domain is added by one line: its kind, table, question, controller, command, events and erasure are there', async (t) => {
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'controllers', 'ingest'],
    modules: [...MODULES, charts],
    rollUpSeconds: 1,
  });
  const { call } = world;
  const post = async (path: string, body: object) => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  };

  await t.test('its kind is served, checked and goes live, and its question is answered from it', async () => {
    const wrong = await call('POST', CHARTS, { body: { ...TOP, spec: { title: 'Top', size: 0 } } });
    assert.equal(wrong.status, 422, wrong.text);
    await post(CHARTS, TOP);
    await until(
      async () => ((await call('GET', '/v1/chart?namespace=default&name=top')).status === 200 ? true : undefined),
      () => 'the chart to be live',
      10,
    );
    const document = await call('GET', '/openapi.json');
    assert.ok('/v1/chart' in document.json.paths, 'it is documented');
  });

  await t.test('its records are written and read, by what another domain knows', async () => {
    await post(CHANGE_SETS, changeSet(...RECORDS_CATALOGUE));
    for (const listener of ['ann', 'bob', 'cyd']) {
      await until(
        async () => {
          const begun = await call('POST', '/v1/subscriptions', {
            body: { listener, plan: 'free', market: 'de', key: listener },
          });
          return begun.status === 200 ? true : undefined;
        },
        () => `${listener} to be on a plan`,
        10,
      );
    }
    const without = await call('POST', '/v1/charts/votes', { body: { listener: 'dan', song: 'Anthem' } });
    assert.deepEqual([without.status, without.json.code], [403, 'charts/no-plan'], without.text);
    for (const [listener, song] of [
      ['ann', 'Anthem'],
      ['bob', 'Anthem'],
      ['bob', 'Ballad'],
      ['cyd', 'Coda'],
      ['cyd', 'Anthem'],
    ]) {
      await post('/v1/charts/votes', { listener, song });
    }
    assert.deepEqual(await post('/v1/charts/votes', { listener: 'ann', song: 'Anthem' }).then(isCounted), false);
    const { json } = await call('GET', '/v1/chart?namespace=default&name=top');
    assert.deepEqual(json.songs, [
      { song: 'Anthem', votes: 3 },
      { song: 'Ballad', votes: 1 },
    ]);
  });

  await t.test(
    'a kind that is direct is live with its write, here and elsewhere, and makes no Head and no release',
    async () => {
      const BANS = '/apis/charts.example.dev/v1/namespaces/default/bans';
      const ban = (name: string, song: string) => ({
        apiVersion: 'charts.example.dev/v1',
        kind: 'Ban',
        metadata: { name },
        spec: { song },
      });
      const { control } = world.running;
      assert.ok(control !== undefined);
      await post(BANS, ban('first', 'Anthem'));
      const kinds = kindsOf([...MODULES, charts]);
      const followers = [control.heads, clientHeads(inProcessClient(control.store, 'test'), kinds.all)].map((source) =>
        followHeads({ source, kinds, modules: [banned], log: openLog('silent') }),
      );
      t.after(() => Promise.all(followers.map((follower) => follower.stop())));
      await Promise.all(followers.map(({ compiled }) => compiled));
      const songs = async () =>
        [
          (await call('GET', '/v1/chart?namespace=default&name=top')).json.songs.map(
            ({ song }: { song: string }) => song,
          ),
          ...followers.map((follower) => follower.snapshot().tables.get('banned')),
        ] as const;
      const become = (expected: readonly string[], bans: readonly string[]) =>
        until(
          async () => isDeepStrictEqual(await songs(), [expected, bans, bans]) || undefined,
          () => `the chart to be ${expected.join()}`,
          10,
        );
      await become(['Ballad', 'Coda'], ['Anthem']);
      await post(BANS, ban('second', 'Ballad'));
      await become(['Coda'], ['Anthem', 'Ballad']);
      const patch = (path: string, body: object) =>
        call('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } });
      const revisions = () =>
        followers.map((follower) =>
          [...(follower.world()?.list(Ban.id) ?? [])].map(({ revision }) => revision).toSorted(),
        );
      const before = revisions();
      assert.equal((await patch(`${BANS}/second/status`, { status: { seen: true } })).status, 200);
      assert.equal((await patch(`${BANS}/first`, { spec: { song: 'Coda' } })).status, 200);
      await become(['Anthem'], ['Ballad', 'Coda']);
      const after = revisions();
      assert.deepEqual(after[0], after[1]);
      assert.equal(
        after[0]?.filter((revision) => before[0]?.includes(revision)).length,
        1,
        'a status is no new revision',
      );
      assert.equal((await patch(`${BANS}/first`, { metadata: { finalizers: ['example.dev/jury'] } })).status, 200);
      assert.equal((await call('DELETE', `${BANS}/first`)).status, 200);
      await become(['Anthem', 'Coda'], ['Ballad']);
      assert.equal((await patch(`${BANS}/first`, { metadata: { finalizers: null } })).status, 200);
      assert.equal((await call('DELETE', `${BANS}/second`)).status, 200);
      await become(['Anthem', 'Ballad'], []);
      const made = await Promise.all(
        ['heads', 'releases'].map((plural) => call('GET', `/apis/releases.backline.dev/v1/${plural}`)),
      );
      for (const { text } of made) assert.doesNotMatch(text, /bans|Ban"/);
    },
  );

  await t.test('its controller writes the status of its own kind, beside what the kernel says of it', async () => {
    const says = async (size: number) =>
      until(
        async () => {
          const { status, metadata } = (await call('GET', `${CHARTS}/top`)).json;
          const isLive =
            status?.conditions?.[0]?.status === 'True' && status.observedGeneration === metadata.generation;
          return status?.shows === size && isLive ? status : undefined;
        },
        () => `a chart of ${size} songs to be live and to say so`,
        10,
      );
    const first = await says(2);
    const changed = await call('PATCH', `${CHARTS}/top`, {
      body: { spec: { size: 3 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(changed.status, 200, changed.text);
    const second = await says(3);
    assert.notEqual(first.liveRevision, second.liveRevision);
    const table = await call('GET', CHARTS, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    assert.deepEqual(
      table.json.columnDefinitions.map(({ name }: { name: string }) => name),
      ['Name', 'Shows', 'Live', 'Age'],
    );
    assert.deepEqual(table.json.rows[0].cells.slice(0, 3), ['top', 3, 'True']);
    await call('PATCH', `${CHARTS}/top`, {
      body: { spec: { size: 2 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await says(2);
  });

  await t.test(
    'its target carries its kind: a release of a flag and a chart goes out one after the other, and comes back',
    async () => {
      const VENUES = '/apis/charts.example.dev/v1/venues';
      const RELEASES = '/apis/releases.backline.dev/v1/releases';
      for (const [name, city] of Object.entries({ arena: 'berlin', hall: 'oslo' })) {
        await post(VENUES, { apiVersion: 'charts.example.dev/v1', kind: 'Venue', metadata: { name }, spec: { city } });
      }
      const policy = (stages: readonly object[], before?: object) => ({
        apiVersion: 'releases.backline.dev/v1',
        kind: 'ReleasePolicy',
        metadata: { name: 'both' },
        spec: { selector: { kinds: ['Flag', 'Chart'] }, stages, ...(before === undefined ? {} : { before }) },
      });
      const wrong = await call('POST', CHANGE_SETS, {
        body: changeSet(policy([{ name: 'few', venues: { cities: 'berlin' } }])),
      });
      assert.match(wrong.text, /stages\[0\]\.venues\.cities/, 'its part of a stage is checked');
      await post(CHANGE_SETS, changeSet(flag('banner'), TOP));
      const shownIn = async (venue: string): Promise<string | undefined> =>
        (await call('GET', `${VENUES}/${venue}`)).json.status?.shown?.['default/top'];
      const before = await until(
        async () => ((await shownIn('arena')) === (await shownIn('hall')) ? await shownIn('hall') : undefined),
        () => 'the venues to show the chart',
        10,
      );
      const stages = [
        { name: 'berlin', venues: { cities: ['berlin'] }, promote: 'manual' },
        { name: 'venues', venues: {} },
        { name: 'few', listeners: { unit: 'listener', percent: 50 }, promote: 'manual' },
      ];
      await post(CHANGE_SETS, changeSet(policy(stages, { venues: ['listeners'] })));
      const answer = await post(
        CHANGE_SETS,
        changeSet(flag('banner', { default: 'b' }), { ...TOP, spec: { title: 'Top ten', size: 2 } }),
      );
      const name: string = answer.status.release;
      const release = async () => (await call('GET', `${RELEASES}/${name}`)).json;
      const tell = (verb: string) =>
        post(`${RELEASES}/${name}/${verb}`, {
          apiVersion: 'releases.backline.dev/v1',
          kind: 'ReleaseCommand',
          metadata: {},
          spec: { reason: 'For the test.' },
        });
      const headAt = async (head: string): Promise<{ at: number; isShown: boolean }> => {
        const { metadata, spec } = (await call('GET', `/apis/releases.backline.dev/v1/heads/${head}`)).json;
        const isShown = spec.live.some((one: { release?: string }) => one.release === name);
        return { at: Number(metadata.resourceVersion), isShown };
      };
      const CHART_HEAD = 'charts.charts.example.dev.default.top';
      const FLAG_HEAD = 'flags.experience.backline.dev.banner';
      const stageIs = (stage: string) => async () => {
        const { status } = await release();
        const isSeen = status?.standing.state.seenMs !== undefined;
        return status?.stage === stage && isSeen ? status : undefined;
      };

      const first = await until(stageIs('berlin'), () => 'berlin to show it', 20);
      assert.notEqual(await shownIn('arena'), before);
      assert.equal(await shownIn('hall'), before);
      assert.equal((await headAt(FLAG_HEAD)).isShown, false, 'listeners have not begun');
      const [venues, listeners] = first.targets;
      assert.deepEqual(
        [venues.name, venues.stage, listeners.name, listeners.stage],
        ['venues', 'berlin', 'listeners', undefined],
      );
      assert.equal(venues.places.length, 2);
      for (const place of venues.places) {
        assert.equal(place.state, 'healthy', JSON.stringify(place));
        assert.equal(place.observed, place.wanted);
        assert.ok(place.healthySince !== undefined && place.observedAt !== undefined);
      }
      await tell('promote');
      await until(stageIs('few'), () => 'some listeners to have it', 20);
      const reached = await shownIn('hall');
      assert.equal(await shownIn('arena'), reached);
      assert.notEqual(reached, before);
      assert.equal((await headAt(FLAG_HEAD)).isShown, true);
      const table = await call('GET', `${RELEASES}/${name}`, {
        headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
      });
      assert.match(table.text, /"venues 2\/2, listeners 1\/1"/);

      await tell('rollback');
      await until(
        async () => ((await release()).status.phase === 'RolledBack' ? true : undefined),
        () => 'it to be taken back',
        20,
      );
      const [flagHead, chartHead] = [await headAt(FLAG_HEAD), await headAt(CHART_HEAD)];
      assert.deepEqual([flagHead.isShown, chartHead.isShown], [false, false]);
      assert.ok(flagHead.at < chartHead.at, 'the flag came back before the chart');
      assert.deepEqual([await shownIn('arena'), await shownIn('hall')], [before, before]);
      await call('DELETE', '/apis/releases.backline.dev/v1/releasepolicies/both');
    },
  );

  await t.test('its events are of a type that nobody declares, sends or takes', async () => {
    const rows = await until(
      async () => {
        const { json } = await call('POST', '/apis/events.backline.dev/v1/queries', {
          body: {
            apiVersion: 'events.backline.dev/v1',
            kind: 'Query',
            metadata: {},
            spec: { sql: 'select song, count(*) as n from chart_vote group by song order by n desc, song' },
          },
        });
        return json.status?.rows?.length === 3 ? json.status.rows : undefined;
      },
      () => 'the votes in SQL',
      30,
    );
    assert.deepEqual(rows, [
      ['Anthem', 3],
      ['Ballad', 1],
      ['Coda', 1],
    ]);
    const declared = await call('POST', '/apis/events.backline.dev/v1/namespaces/default/eventtypes', {
      body: {
        apiVersion: 'events.backline.dev/v1',
        kind: 'EventType',
        metadata: { name: 'chart-vote' },
        spec: charts.eventTypes?.[0]?.spec,
      },
    });
    assert.equal(declared.status, 422, declared.text);
    assert.match(declared.json.message, /"chart_vote" of SQL belongs to the system/);
    const sent = await call('POST', '/v1/events', {
      body: {
        events: [
          { type: 'chart-vote', id: 'x', at: '2026-11-29T00:00:00Z', subject: 'ann', properties: { song: 'x' } },
        ],
      },
    });
    assert.match(sent.text, /only Backline itself sends chart-vote/);
  });

  await t.test('its command is carried out, and its eraser is asked', async () => {
    const recount = {
      apiVersion: 'charts.example.dev/v1',
      kind: 'Recount',
      metadata: { generateName: 'r-' },
      spec: { song: 'Coda' },
    };
    assert.equal((await post('/apis/charts.example.dev/v1/recounts', recount)).status.dropped, 1);
    const { status } = await post('/apis/events.backline.dev/v1/erasures', {
      apiVersion: 'events.backline.dev/v1',
      kind: 'Erasure',
      metadata: {},
      spec: { subject: 'bob' },
    });
    assert.equal(status.erased['chart-votes'], 2, JSON.stringify(status));
  });
});

test('a domain that is not on the list is not there', async (t) => {
  const world = await startWorld(t);
  assert.equal((await world.call('GET', CHARTS)).status, 404);
  assert.equal((await world.call('GET', '/v1/chart?namespace=default&name=top')).status, 404);
});

function isCounted({ counted: is }: { readonly counted: boolean }): boolean {
  return is;
}
