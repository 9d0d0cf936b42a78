import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { MODULES } from '#planes/modules.ts';
import { startWorld } from '../support/backline.ts';
import { charts } from '../support/charts/module.ts';
import { until, type Json } from '../support/installation.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const [kubectl] = await findKubectls();
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const CHARTS = (namespace: string): string => `/apis/charts.example.dev/v1/namespaces/${namespace}/charts`;
const RELEASES_API = '/apis/releases.backline.dev/v1';
const PEOPLE = ['ann', 'bob'] as const;
/** Editors of one namespace each. */
const MEMBERS = { cyd: 'team-c', dan: 'team-b' } as const;

const object = (kind: string, metadata: object, spec: object): object => ({
  apiVersion: 'charts.example.dev/v1',
  kind,
  metadata,
  spec,
});
const chart = (namespace: string, name: string, title: string, more: object = {}): object =>
  object('Chart', { namespace, name }, { title, size: 3, ...more });

/** Two teams with charts of the same name, two venues that show them, and people with command lines. */
async function startTeams(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-teams-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(
    tokenFile,
    [...PEOPLE, ...Object.keys(MEMBERS)].map((name) => `${name}-token-1234,${name},,`).join('\n'),
  );
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'controllers'],
    modules: [...MODULES, charts],
    access: { tokenFile },
  });
  const { call } = world;
  const request = async (method: string, path: string, body?: object): Promise<Json> => {
    const answer = await call(method, path, body === undefined ? {} : { body });
    assert.ok(answer.status < 300, `${path}: ${answer.text}`);
    return answer.json;
  };
  for (const name of ['team-a', 'team-b', 'team-c'])
    await request('POST', '/api/v1/namespaces', { metadata: { name } });
  for (const name of PEOPLE) {
    const subjects = [{ kind: 'User', name }];
    const roleRef = { kind: 'ClusterRole', name: 'edit' };
    await request('POST', `${RBAC}/clusterrolebindings`, { metadata: { name: `${name}-edits` }, roleRef, subjects });
  }
  for (const [name, namespace] of Object.entries(MEMBERS)) {
    const subjects = [{ kind: 'User', name }];
    const roleRef = { kind: 'ClusterRole', name: 'edit' };
    const path = `${RBAC}/namespaces/${namespace}/rolebindings`;
    await request('POST', path, { metadata: { name: `${name}-edits` }, roleRef, subjects });
  }
  for (const [name, city] of Object.entries({ arena: 'berlin', hall: 'oslo' })) {
    await request('POST', '/apis/charts.example.dev/v1/venues', object('Venue', { name }, { city }));
  }
  const titleOf = async (namespace: string, name = 'top'): Promise<string | undefined> => {
    const { status, json } = await call('GET', `/v1/chart?namespace=${namespace}&name=${name}`);
    return status === 404 ? undefined : json.title;
  };
  return {
    world,
    done: request,
    titleOf,
    /** Resolves when everybody is answered so. */
    titled: async (titles: Readonly<Record<string, string | undefined>>): Promise<void> => {
      const seen: Record<string, string | undefined> = {};
      await until(
        async () => {
          for (const namespace of Object.keys(titles)) seen[namespace] = await titleOf(namespace);
          return Object.entries(titles).every(([namespace, title]) => seen[namespace] === title) ? true : undefined;
        },
        () => `${JSON.stringify(titles)}; it is ${JSON.stringify(seen)}`,
        20,
      );
    },
    shownIn: async (venue: string, name: string): Promise<string | undefined> =>
      (await request('GET', `/apis/charts.example.dev/v1/venues/${venue}`)).status?.shown?.[name],
    /** A command line; what it wrote. */
    backline: async (person: (typeof PEOPLE)[number] | 'admin', line: string): Promise<string> => {
      const io = { ...fakeIo({ directory }), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
      const who = person === 'admin' ? [] : ['--token', `${person}-token-1234`];
      const status = await runCommandLine([...line.split(' '), ...who], io);
      // A plan says by 2 that there is something to change.
      const expected = line.startsWith('plan ') ? 2 : 0;
      assert.equal(status, expected, `${line}: ${io.written.stdout}${io.written.stderr}`);
      return io.written.stdout;
    },
    write: (name: string, ...objects: readonly object[]) =>
      writeFile(join(directory, name), objects.map((each) => stringify(each)).join('---\n')),
    kubectl: async (line: string): Promise<string> => {
      assert.ok(kubectl !== undefined);
      const env = { KUBECONFIG: world.running.kubeconfigFile };
      const ran = await execute(kubectl.file, line.split(' '), '', env);
      assert.equal(ran.code, 0, ran.stderr);
      return ran.stdout;
    },
  };
}

test('two projects have objects of one name: each is released, rolled back, deleted and moved for itself', async (t) => {
  const teams = await startTeams(t);
  const { world, done, backline, write } = teams;
  const releaseNamed = (name: string): Promise<Json> => done('GET', `${RELEASES_API}/releases/${name}`);

  await t.test('both are declared in one change set, and live', async () => {
    await write('charts.yaml', chart('team-a', 'top', 'A 1'), chart('team-b', 'top', 'B 1'));
    const plan = await backline('admin', 'plan -f charts.yaml');
    assert.match(plan, /^\+ Chart team-a\/top [^]*^\+ Chart team-b\/top /m);
    const applied = await backline('admin', 'apply -f charts.yaml');
    assert.match(applied, /^chart\.charts\.example\.dev\/top in team-a created$/m);
    assert.match(applied, /^chart\.charts\.example\.dev\/top in team-b created$/m);
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 1', 'team-c': undefined });
    const deleted = await backline('admin', 'delete -f charts.yaml --dry-run');
    assert.match(deleted, /\/top in team-b deleted \(dry run\)\n.*\/top in team-a deleted \(dry run\)\n$/);
    for (const namespace of ['team-a', 'team-b']) {
      const { spec } = await done('GET', `${RELEASES_API}/heads/charts.charts.example.dev.${namespace}.top`);
      assert.deepEqual(spec.object, { kind: 'charts.example.dev/Chart', namespace, name: `${namespace}/top` });
      const { status } = await done('GET', `${CHARTS(namespace)}/top`);
      assert.deepEqual([status.liveRevision, status.conditions[0].status], [spec.live[0].revision, 'True']);
    }
    // The store loads the names anew at its start.
    await world.restart();
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 1' });
  });

  let release = '';
  await t.test('a policy about one of them holds the other by nothing', async () => {
    const stages = [{ name: 'berlin', venues: { cities: ['berlin'] }, promote: 'manual' }];
    const selector = { kinds: ['Chart'], namespaces: ['team-a'] };
    await write('policy.yaml', {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ReleasePolicy',
      metadata: { name: 'staged' },
      spec: { selector, stages, pinFor: 'PT1H' },
    });
    await backline('admin', 'apply -f policy.yaml');
    const before = await until(
      async () => (await teams.shownIn('arena', 'team-a/top')) ?? undefined,
      () => 'a venue to show it',
      10,
    );
    await write('a.yaml', chart('team-a', 'top', 'A 2'));
    await write('b.yaml', chart('team-b', 'top', 'B 2'));
    const applied = await backline('ann', 'apply -f a.yaml');
    release = /^Release (\S+) by policy/m.exec(applied)?.[1] ?? assert.fail(applied);
    assert.match(release, /^team-a-top-\d+$/);
    await backline('bob', 'apply -f b.yaml');
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 2' });
    await until(
      async () => ((await teams.shownIn('arena', 'team-a/top')) === before ? undefined : true),
      () => 'berlin to show it',
    );
    assert.equal(await teams.shownIn('hall', 'team-a/top'), before);
    const conditions: Json[] = [];
    for (const namespace of ['team-a', 'team-b']) {
      conditions.push((await done('GET', `${CHARTS(namespace)}/top`)).status.conditions[0].message);
    }
    assert.deepEqual(conditions, [`Included in release ${release}.`, 'The declared spec is live.']);
  });

  await t.test('the release shows the namespace of the object', async () => {
    const { spec } = await releaseNamed(release);
    assert.deepEqual([spec.authors, spec.objects.map((one: Json) => one.name)], [['ann'], ['team-a/top']]);
    const shown = await backline('bob', `release show ${release}`);
    assert.match(shown, /^ {2}~ Chart team-a\/top {2}[0-9a-f]{8} → [0-9a-f]{8}\n +~ spec\.title: "A 1" → "A 2"$/m);
    assert.match(shown, /^ {2}» Chart team-a\/top: /m);
    assert.match(await backline('bob', 'history chart top -n team-b'), /"B 1" → "B 2"/);
    assert.doesNotMatch(await backline('bob', 'history chart top -n team-b'), /"A/);
    if (kubectl !== undefined) {
      assert.match(await teams.kubectl('get charts -A'), /^team-a +top .*\nteam-b +top /m);
      assert.match(
        await teams.kubectl('get heads'),
        /^charts\.charts\.example\.dev\.team-a\.top +Chart\/team-a\/top +team-a /m,
      );
    }
  });

  await t.test('it is promoted, and rolled back, and the other stays as it is', async () => {
    await backline('bob', `release promote ${release}`);
    assert.match(await backline('bob', `release watch ${release}`), /is promoted: live for everyone/);
    await teams.titled({ 'team-a': 'A 2', 'team-b': 'B 2' });
    const other = (await done('GET', `${RELEASES_API}/releases`)).items.find((one: Json) =>
      one.spec.objects.some(({ name, from }: Json) => name === 'team-b/top' && from !== undefined),
    );
    const back = await backline('bob', `release rollback ${release}`);
    assert.match(back, /Rolls Chart\/team-a\/top back from everybody\./);
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 2' });
    assert.equal((await done('GET', `${CHARTS('team-a')}/top`)).spec.title, 'A 1', 'it is declared again');
    const pins = (await done('GET', `${RELEASES_API}/pins`)).items;
    assert.deepEqual(
      pins.map((pin: Json) => pin.spec.object.name),
      ['team-a/top'],
    );
    const refused = await world.call('PATCH', `${CHARTS('team-a')}/top`, {
      body: { spec: { title: 'A 2' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(refused.status, 409, refused.text);
    assert.match(refused.json.message, /Chart "team-a\/top" is pinned by bob/);
    await backline('ann', `release rollback ${other.metadata.name}`);
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 1' });
  });

  await t.test('authors are of the object alone, by the record too', async () => {
    await write('a.yaml', chart('team-a', 'top', 'A 3'));
    await write('b.yaml', chart('team-b', 'top', 'B 3'));
    const applied = await backline('ann', 'apply -f a.yaml');
    const name = /^Release (\S+) by policy/m.exec(applied)?.[1] ?? assert.fail(applied);
    await backline('bob', 'apply -f b.yaml');
    await world.restart();
    await write('a.yaml', chart('team-a', 'top', 'A 4'));
    const again = await backline('ann', 'apply -f a.yaml');
    const next = /^Release (\S+) by policy/m.exec(again)?.[1] ?? assert.fail(again);
    assert.notEqual(next, name);
    assert.deepEqual((await releaseNamed(next)).spec.authors, ['ann']);
    await backline('bob', `release abort ${next}`);
    await teams.titled({ 'team-a': 'A 1', 'team-b': 'B 3' });
    await done('DELETE', `${RELEASES_API}/releasepolicies/staged`);
  });

  await t.test('a reference is to the own namespace; what another one needs stays live', async () => {
    await write(
      'next.yaml',
      chart('team-a', 'next', 'A next', { after: 'top' }),
      chart('team-c', 'next', 'C next', { after: 'team-b/top' }),
    );
    await backline('admin', 'apply -f next.yaml');
    const held = await world.call('POST', '/apis/releases.backline.dev/v1/changesets?dryRun=All', {
      body: {
        apiVersion: 'releases.backline.dev/v1',
        kind: 'ChangeSet',
        metadata: {},
        spec: { objects: [chart('team-c', 'lost', 'Lost', { after: 'top' })] },
      },
    });
    assert.match(held.text, /there is no live Chart \\"team-c\/top\\"/);
    await done('DELETE', `${CHARTS('team-b')}/top`);
    const head = await until(
      async () => {
        const { status } = await done('GET', `${RELEASES_API}/heads/charts.charts.example.dev.team-b.top`);
        return status?.held as string | undefined;
      },
      () => 'the Head to say why it stays',
    );
    assert.match(head, /still needed by a Chart of another namespace/);
    const events = (await done('GET', '/api/v1/namespaces/team-b/events')).items;
    assert.ok(events.some((one: Json) => one.reason === 'KeptLive' && one.involvedObject.name === 'top'));
    assert.equal(await teams.titleOf('team-b'), 'B 3');
    await done('DELETE', `${CHARTS('team-c')}/next`);
    await teams.titled({ 'team-a': 'A 1', 'team-b': undefined });
    assert.equal(await teams.titleOf('team-a', 'next'), 'A next');
  });

  await t.test('a user who may not refer to another namespace can still use the same name', async () => {
    const make = (person: keyof typeof MEMBERS, name: string, after?: string) =>
      world.call('POST', CHARTS(MEMBERS[person]), {
        body: chart(MEMBERS[person], name, name, after === undefined ? {} : { after }),
        token: `${person}-token-1234`,
      });
    assert.equal((await make('dan', 'shared')).status, 201);
    // Whether it is there or not: nobody learns names of others by it, or takes them before they do.
    for (const after of ['shared', 'soon']) {
      const refused = await make('cyd', 'one', `team-b/${after}`);
      assert.equal(refused.status, 403, refused.text);
      const { message } = refused.json;
      assert.match(
        message,
        new RegExp(`"${after}" is forbidden: it belongs to namespace "team-b", and you may not refer`),
      );
    }
    assert.equal((await make('dan', 'soon')).status, 201);
    const made = await make('cyd', 'one', 'later');
    assert.equal(made.status, 201, made.text);
    assert.equal((await make('dan', 'later')).status, 201, 'it is not what team-c refers to');
    // Allowed once, such a reference keeps nobody from making what it names.
    await done('POST', CHARTS('team-c'), chart('team-c', 'two', 'two', { after: 'team-b/early' }));
    const early = await make('dan', 'early');
    assert.equal(early.status, 201, early.text);
    for (const name of ['one', 'two']) await done('DELETE', `${CHARTS('team-c')}/${name}`);
    for (const name of ['shared', 'soon', 'later', 'early']) await done('DELETE', `${CHARTS('team-b')}/${name}`);
  });

  await t.test('a moved object is another object: the old one goes, and the new one comes', async () => {
    await done('DELETE', `${CHARTS('team-a')}/next`);
    await write('moved.yaml', chart('team-c', 'top', 'A 1'));
    await backline('admin', 'apply -f moved.yaml');
    await done('DELETE', `${CHARTS('team-a')}/top`);
    await teams.titled({ 'team-a': undefined, 'team-c': 'A 1' });
    const heads = async (): Promise<string> =>
      (await done('GET', `${RELEASES_API}/heads`)).items.map((one: Json) => one.metadata.name).join();
    await until(
      async () => ((await heads()) === 'charts.charts.example.dev.team-c.top' ? true : undefined),
      () => 'the Head of the moved one alone',
      10,
    );
  });
});
