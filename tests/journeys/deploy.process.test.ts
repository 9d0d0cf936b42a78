import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startWorld, type World } from '#tests/support/backline.ts';

const PATIENCE_MS = 30_000;
const CLUSTERS = { lund: 'first', stockholm: 'main', tokyo: 'main' } as const;
const HOST = 'player.default.localhost';
const COMPONENTS = '/apis/deploy.backline.dev/v1/namespaces/default/components';
const INSTANCES = '/apis/deploy.backline.dev/v1/namespaces/default/instances';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const EDITOR = 'editor-token-1234';

const SERVER = `
import { createServer } from 'node:http';
const { PORT, VERSION, FAILING = '0' } = process.env;
createServer((asked, answer) => {
  answer.statusCode = asked.url !== '/ready' && Math.random() < Number(FAILING) ? 500 : 200;
  answer.end(JSON.stringify({ version: VERSION, pid: process.pid }));
}).listen(Number(PORT), '127.0.0.1', () => console.log('starting\\nit listens'));
`;

// They mostly wait, each in a world of its own.
suite('local clusters', { concurrency: 3 }, () => {
  test('a good revision reaches all clusters in waves, and one that crashes never leaves the first: C6', async (t) => {
    const { world, until } = await threeClusters(t);
    await applyComponent(world, { VERSION: '1' });
    await until('Promoted');
    assert.deepEqual(await versionsIn(world), { lund: ['1'], stockholm: ['1'], tokyo: ['1'] });

    await applyComponent(world, { VERSION: '2' });
    await until('Promoted');
    assert.deepEqual(await versionsIn(world), { lund: ['2'], stockholm: ['2'], tokyo: ['2'] });

    const body = { apiVersion: 'deploy.backline.dev/v1', kind: 'InstanceLog', metadata: {}, spec: { text: 'listens' } };
    const logs = await world.call('POST', `${INSTANCES}/player.lund/log`, { body });
    assert.equal(logs.status, 201, logs.text);
    assert.deepEqual(
      logs.json.status.replicas.map(({ lines }: { lines: readonly string[] }) => lines),
      [['it listens']],
    );
    const unknown = await world.call('POST', `${INSTANCES}/player.oslo/log`, { body });
    assert.equal(unknown.status, 404, unknown.text);

    const before = await pidsIn(world, 'tokyo');
    await applyComponent(world, { VERSION: '3' }, { command: ['node', 'missing.mjs'] });
    const { message } = await until('RolledBack');
    assert.match(message, /lund failed: .* times in a row: exited with 1: Error: Cannot find module/);
    assert.deepEqual(await versionsIn(world), { lund: ['2'], stockholm: ['2'], tokyo: ['2'] });
    assert.deepEqual(await pidsIn(world, 'tokyo'), before);
  });

  test('a revision that answers with errors is rolled back by the counts of the proxy', async (t) => {
    const errors = { name: 'errors', requests: 'failed', noWorse: { margin: 2 }, promotesFrom: 'first' };
    const { world, until } = await threeClusters(t, [errors]);
    await applyComponent(world, { VERSION: '1' });
    await until('Promoted');
    const load = await startLoad(t, world, 'lund');
    await applyComponent(world, { VERSION: '2', FAILING: '1' });
    const { message } = await until('RolledBack');
    assert.match(message, /errors: Failed requests \(100 % of/);
    assert.deepEqual(await versionsIn(world), { lund: ['1'], stockholm: ['1'], tokyo: ['1'] });
    // Every request was answered, by whichever revision.
    assert.equal(load.lost(), 0);
  });

  test('a cluster that hangs holds the wave as unknown, and the others stay healthy', async (t) => {
    const { world, until, release } = await threeClusters(t);
    await applyComponent(world, { VERSION: '1' });
    await until('Promoted');
    const { pid } = JSON.parse(await readFile(agentFile(world, 'tokyo'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGSTOP');
    try {
      await applyComponent(world, { VERSION: '2' });
      const found = await until(({ status }) =>
        (status.targets ?? []).some(({ places = [] }) => places.some(({ state }) => state === 'unknown')),
      );
      const { places = [] } = found.status.targets?.[0] ?? {};
      assert.deepEqual(
        places.filter(({ state }) => state === 'unknown').map(({ name }) => name),
        ['tokyo'],
      );
      assert.equal((await release()).status.phase, 'Progressing');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('Promoted');
    assert.deepEqual(await versionsIn(world), { lund: ['2'], stockholm: ['2'], tokyo: ['2'] });
  });

  test('an author of Components without the right to run them is refused, by the name of the right: C7', async (t) => {
    const { world } = await threeClusters(t);
    const body = component({ VERSION: '1' });
    const bound = await world.call('POST', `${RBAC}/clusterrolebindings`, { body: binding('edit') });
    assert.equal(bound.status, 201, bound.text);
    const refused = await world.call('POST', COMPONENTS, { body, token: EDITOR });
    assert.equal(refused.status, 403, refused.text);
    assert.match(refused.json.message, /cannot run resource "clusters" in API group "deploy.backline.dev"/);
    const rules = [{ apiGroups: ['deploy.backline.dev'], resources: ['clusters'], verbs: ['run'] }];
    await world.call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'runs-components' }, rules } });
    await world.call('POST', `${RBAC}/clusterrolebindings`, { body: binding('runs-components') });
    const created = await world.call('POST', COMPONENTS, { body, token: EDITOR });
    assert.equal(created.status, 201, created.text);
  });

  test('a deleted component stops everywhere, and a deleted cluster with all that it runs', async (t) => {
    const { world, until } = await threeClusters(t);
    await applyComponent(world, { VERSION: '1' });
    await until('Promoted');
    await world.call('DELETE', '/apis/deploy.backline.dev/v1/clusters/tokyo');
    await untilTrue(async () => (await instanceNames(world)).join() === 'player.lund,player.stockholm');
    await world.call('DELETE', `${COMPONENTS}/player`);
    await untilTrue(async () => (await instanceNames(world)).length === 0);
  });
});

function component(env: Readonly<Record<string, string>>, more: object = {}): object {
  return {
    apiVersion: 'deploy.backline.dev/v1',
    kind: 'Component',
    metadata: { name: 'player', namespace: 'default' },
    spec: {
      workload: 'service',
      command: ['node', 'server.mjs'],
      files: { 'server.mjs': SERVER },
      readinessPath: '/ready',
      probeSeconds: 0.1,
      env,
      ...more,
    },
  };
}

const policyWith = (guardrails: readonly object[]) => ({
  apiVersion: 'releases.backline.dev/v1',
  kind: 'ReleasePolicy',
  metadata: { name: 'components' },
  spec: {
    selector: { kinds: ['Component'] },
    judging: { every: 'PT1S' },
    guardrails,
    stages: [
      {
        name: 'first',
        clusters: { select: { matchLabels: { ring: 'first' } }, weight: 50 },
        soak: 'PT1S',
        promote: 'auto',
      },
      { name: 'all-but', clusters: { weight: 50, concurrent: 1 }, soak: 'PT1S', promote: 'auto' },
    ],
  },
});

interface Release {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly phase: string;
    readonly message: string;
    readonly targets?: readonly { readonly places?: readonly { readonly name: string; readonly state: string }[] }[];
  };
}

async function threeClusters(t: TestContext, guardrails: readonly object[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-deploy-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, `${EDITOR},editor,,`);
  const roles = ['api', 'controllers'] as const;
  const world = await startWorld(t, { roles, localRuntime: true, access: { tokenFile } });
  for (const [name, ring] of Object.entries(CLUSTERS)) {
    const body = { metadata: { name, labels: { ring } }, spec: { local: {} } };
    const created = await world.call('POST', '/apis/deploy.backline.dev/v1/clusters', { body });
    assert.equal(created.status, 201, created.text);
  }
  const policy = await world.call('POST', '/apis/releases.backline.dev/v1/releasepolicies', {
    body: policyWith(guardrails),
  });
  assert.equal(policy.status, 201, policy.text);
  await untilTrue(async () => {
    const { json } = await world.call('GET', '/apis/deploy.backline.dev/v1/clusters');
    return json.items.every(({ status }: { status?: { state: string } }) => status?.state === 'ready');
  });
  /** The latest release of the component. */
  const release = async (): Promise<Release> => {
    const { json } = await world.call('GET', '/apis/releases.backline.dev/v1/releases');
    const all = json.items as Release[];
    const of = all.filter(({ metadata }) => metadata.name.startsWith('default-player'));
    const [latest] = of.sort(
      (a, b) => Number(b.metadata.name.split('-').at(-1)) - Number(a.metadata.name.split('-').at(-1)),
    );
    assert.ok(latest !== undefined, 'no release');
    return latest;
  };
  return {
    world,
    release,
    /** Waits for the phase of the latest release, or until something else holds of it. */
    until: async (phase: string | ((release: Release) => boolean)): Promise<Release & Release['status']> => {
      let last: Release | undefined;
      const isThere = typeof phase === 'string' ? ({ status }: Release) => status.phase === phase : phase;
      await untilTrue(
        async () => {
          last = await release().catch(() => undefined);
          return last !== undefined && isThere(last);
        },
        () => JSON.stringify(last?.status, null, 1),
      );
      assert.ok(last !== undefined);
      return { ...last, ...last.status };
    },
  };
}

async function applyComponent(world: World, env: Readonly<Record<string, string>>, more: object = {}): Promise<void> {
  const path = `${COMPONENTS}/player?fieldManager=test&force=true`;
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const applied = await world.call('PATCH', path, { body: component(env, more), headers });
  assert.ok(applied.status === 200 || applied.status === 201, applied.text);
  await wait(200);
}

function binding(role: string): object {
  return {
    metadata: { name: `editor-${role}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'editor' }],
  };
}

async function untilTrue(isTrue: () => Promise<boolean>, describe = (): string => 'it does not come'): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    assert.ok(performance.now() < untilMs, describe());
    await wait(100);
  }
}

async function instanceNames(world: World): Promise<readonly string[]> {
  const { json } = await world.call('GET', INSTANCES);
  return json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).sort();
}

function agentFile({ dataDirectory }: World, cluster: string): string {
  return join(dataDirectory, 'local-clusters', cluster, 'agent.json');
}

/** Versions that answer in each cluster, of several requests. */
async function versionsIn(world: World): Promise<Readonly<Record<string, readonly string[]>>> {
  const found: Record<string, readonly string[]> = {};
  for (const cluster of Object.keys(CLUSTERS)) {
    const port = await portOf(world, cluster);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(port)));
    found[cluster] = [...new Set(answers.map(({ version }) => version))];
  }
  return found;
}

async function pidsIn(world: World, cluster: string): Promise<readonly number[]> {
  const port = await portOf(world, cluster);
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(port)));
  return [...new Set(answers.map(({ pid }) => pid))];
}

async function portOf(world: World, cluster: string): Promise<number> {
  const { proxyPort } = JSON.parse(await readFile(agentFile(world, cluster), 'utf8')) as { proxyPort: number };
  return proxyPort;
}

interface ServiceAnswer {
  readonly version: string;
  readonly pid: number;
}

function ask(port: number): Promise<ServiceAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, headers: { host: HOST }, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.once('end', () => resolve(JSON.parse(text) as ServiceAnswer));
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** Sends requests to a cluster until the test ends. */
async function startLoad(t: TestContext, world: World, cluster: string): Promise<{ readonly lost: () => number }> {
  const port = await portOf(world, cluster);
  let lost = 0;
  const timer = setInterval(() => {
    ask(port).catch(() => {
      lost += 1;
    });
  }, 5);
  t.after(() => clearInterval(timer));
  return { lost: () => lost };
}
