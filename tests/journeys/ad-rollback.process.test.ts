import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startDecisionNode, startWorld, type Call } from '../support/backline.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { officeOf, until, type Json } from '../support/installation.ts';

const LISTENERS = 60;
/** Questions under way at a time. */
const AT_ONCE = 6;
const PLACEMENT = '/apis/ads.backline.dev/v1/namespaces/default/placements/between-songs';
const POLICY = {
  apiVersion: 'releases.backline.dev/v1',
  kind: 'ReleasePolicy',
  metadata: { name: 'placements' },
  spec: {
    selector: { kinds: ['Placement', 'AdPolicy'] },
    stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }],
  },
};

interface Play {
  readonly micros: number;
  readonly outcome: string;
}

/** Listeners who ask for breaks and play all that they get, until they are stopped. */
function startListeners(nodes: readonly Call[]) {
  const plays: Play[] = [];
  /** The ad sets that each node answered each listener last. */
  const answers = new Map<string, string>();
  const failures: string[] = [];
  const must = async (call: Call, path: string, options: Parameters<Call>[2]): ReturnType<Call> => {
    const answer = await call('POST', path, options);
    if (answer.status !== 200) failures.push(`${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  let asked = 0;
  let isOver = false;
  const listen = async (): Promise<void> => {
    while (!isOver) {
      const at = (asked += 1);
      const [node, listener] = [at % nodes.length, `l${Math.floor(at / nodes.length) % LISTENERS}`];
      const call = nodes[node] as Call;
      const body = { placement: 'between-songs', plan: 'free', market: 'de', listener };
      const { status, json } = await must(call, '/v1/ads/decide', { body });
      if (status !== 200) continue;
      answers.set(`${node} ${listener}`, json.ads.map(({ adSet }: { adSet: string }) => adSet).join());
      for (const { token, price } of json.ads as readonly { token: string; price: string }[]) {
        const reported = await must(call, `/v1/ads/events/impression?token=${token}`, { token: '' });
        const outcome = reported.status === 200 ? reported.json.outcome : 'failed';
        plays.push({ micros: Math.round(Number(price) * 1e6), outcome });
      }
    }
  };
  const listening = Array.from({ length: AT_ONCE }, listen);
  return {
    plays,
    failures,
    /** Listeners by what a node answered them last. */
    heard: (node: number) =>
      Map.groupBy(
        [...answers].filter(([key]) => key.startsWith(`${node} `)),
        ([, ads]) => ads,
      ),
    /** Every listener is asked about anew. */
    forget: () => answers.clear(),
    stop: async () => {
      isOver = true;
      await Promise.all(listening);
    },
  };
}

test('a floor is taken back under load: no request fails, both nodes answer as before, and the money is right', async (t: TestContext) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'], rollUpSeconds: 1 });
  const { call } = world;
  await declareAds(world, [advertiserWithAd('acme', { bid: '9.00' }), advertiserWithAd('bolt', { bid: '3.00' })]);
  // The processes of one installation share their keys.
  const access = { encryptionKeyFile: join(world.dataDirectory, 'encryption-keys') };
  const other = await startDecisionNode(t, world, { databaseUrl: world.databaseUrl, access });
  const office = officeOf(call, call);
  assert.equal((await office.declare([POLICY])).status, 201);
  const listeners = startListeners([call, other.call]);
  const BOTH = 'default/acme.s,default/bolt.s';
  const everybody = (ads: string) => async (): Promise<true | undefined> => {
    const isSo = [0, 1].every((node) => {
      const heard = listeners.heard(node);
      return heard.size === 1 && heard.get(ads)?.length === LISTENERS;
    });
    return isSo ? true : undefined;
  };
  try {
    await until(everybody(BOTH), () => 'both ads for everybody', 30);

    const declared = (await call('GET', PLACEMENT)).json;
    const { apiVersion, kind, spec } = declared;
    const raised = {
      apiVersion,
      kind,
      metadata: { name: 'between-songs', namespace: 'default' },
      spec: { ...spec, floor: { cpm: '5.00' } },
    };
    const written = await call('POST', CHANGE_SETS, { body: changeSet(raised) });
    assert.equal(written.status, 201, written.text);
    let release = '';
    await until(
      async () => {
        const { items } = (await call('GET', '/apis/releases.backline.dev/v1/releases')).json;
        const own = (items as readonly Json[]).find(({ metadata }) => metadata.name.startsWith('between-songs'));
        release = own?.metadata.name ?? '';
        const isSplit = [0, 1].every((node) => listeners.heard(node).size === 2);
        return isSplit ? true : undefined;
      },
      () => 'a part of the listeners to hear one ad',
      30,
    );
    // Both nodes have the same listeners in the cohort.
    listeners.forget();
    await until(
      async () => {
        const [one, two] = [0, 1].map((node) =>
          (listeners.heard(node).get('default/acme.s') ?? []).map(([key]) => key.slice(2)).toSorted(),
        );
        const isAll = [0, 1].every((node) => [...listeners.heard(node).values()].flat().length === LISTENERS);
        return isAll && (one?.length ?? 0) > 0 && one?.join() === two?.join() ? true : undefined;
      },
      () => 'the same cohort on both nodes',
      30,
    );

    const accepted = await office.tell(release, 'rollback', { reason: 'Too little is heard.' });
    assert.ok(accepted.status < 300, accepted.text);
    listeners.forget();
    await until(
      async () => {
        if ((await everybody(BOTH)()) === true) return true;
        // Answers of the moment before are forgotten.
        if ([0, 1].some((node) => listeners.heard(node).size > 1)) listeners.forget();
        return undefined;
      },
      () => 'the old floor on both nodes',
      30,
    );
  } finally {
    await listeners.stop();
  }
  assert.deepEqual(listeners.failures, []);
  assert.deepEqual((await call('GET', PLACEMENT)).json.spec.floor, undefined);

  const counted = listeners.plays.filter(({ outcome }) => outcome === 'counted');
  assert.equal(counted.length, listeners.plays.length);
  const spent = counted.reduce((sum, { micros }) => sum + micros, 0);
  let charged = 0;
  for (const account of ['acme', 'bolt']) {
    const io = { ...fakeIo(), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
    const status = await runCommandLine(['ads', 'reconcile', `default/${account}`, '-o', 'json'], io);
    assert.equal(status, 0, io.written.stdout + io.written.stderr);
    const { counters } = JSON.parse(io.written.stdout);
    const own = counters.find(({ bucket }: { bucket: string }) => bucket === `adset default/${account}.s lifetime`);
    charged += Math.round(Number(own.charged) * 1e6);
  }
  // Asked once to see whether ads flow: those were not played.
  assert.equal(charged, spent);
  t.diagnostic(`${counted.length} impressions, ${spent / 1e6} EUR`);
});
