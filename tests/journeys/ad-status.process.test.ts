import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const [kubectl] = await findKubectls();
const skip = kubectl === undefined ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const ADS = '/apis/ads.backline.dev/v1/namespaces/default';

test(
  'kubectl shows why nobody gets an ad, by what is live and by the time, and the status is never written',
  { skip },
  async (t) => {
    let now = Temporal.Instant.from('2026-12-01T12:00:00Z');
    await using world = await startWorld(t, { clock: () => now });
    await declareAds(world, [advertiserWithAd('acme')]);
    const folder = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const run = async (args: string, input = '') => {
      const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', folder];
      const ran = await execute(kubectl?.file ?? '', [...base, ...args.split(' ')], input);
      assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
      return ran;
    };
    const get = async (what: string) => JSON.parse((await run(`get ${what} -o json`)).stdout);
    const reasonsOf = async (what: string) =>
      (await get(what)).status.reasons.map(({ reason }: { reason: string }) => reason);
    const patch = (what: string, spec: object) => run(`patch ${what} --type merge -p ${JSON.stringify({ spec })}`);

    await t.test('what may be served has no reason', async () => {
      assert.match(
        (await run('get adsets')).stdout,
        /^NAME +CAMPAIGN +TIER +GOAL +BID +SERVING +REASONS +AGE\nacme\.s +acme\.c +auction +cpm +9\.00 +true +<none>/,
      );
      for (const what of ['advertiser acme', 'campaign acme.c', 'adset acme.s', 'ad acme.a']) {
        assert.deepEqual((await get(what)).status, { serving: true, reasons: [] });
      }
    });

    await t.test('a paused campaign shows in what it has, which is not written for it', async () => {
      const { resourceVersion } = (await get('adset acme.s')).metadata;
      await patch('campaign acme.c', { paused: true });
      const { metadata, status } = await get('adset acme.s');
      assert.equal(metadata.resourceVersion, resourceVersion);
      assert.deepEqual(status, {
        serving: false,
        reasons: [
          {
            reason: 'campaign paused',
            message: 'Campaign acme.c is paused.',
            remedy: 'Set spec.paused of Campaign acme.c to false.',
          },
        ],
      });
      assert.match((await run('get ads')).stdout, /^acme\.a +acme\.s +acme\.f +false +campaign paused/m);
      assert.deepEqual(await reasonsOf('advertiser acme'), ['no ad set serving']);
      await patch('campaign acme.c', { paused: null });
    });

    await t.test(
      'a dry run shows the status that a write would bring, and a diff of the same object is empty',
      async () => {
        const shown = await get('adset acme.s');
        await run('diff -f -', JSON.stringify(shown));
        const paused = JSON.stringify({ ...shown, spec: { ...shown.spec, paused: true } });
        const tried = JSON.parse((await run('replace --dry-run=server -o json -f -', paused)).stdout);
        assert.equal(tried.status.reasons[0].reason, 'ad set paused');
        assert.deepEqual(await reasonsOf('adset acme.s'), []);
      },
    );

    await t.test('a write that nobody could meet is refused; one that no placement takes is warned of', async () => {
      const { stderr } = await patch('adset acme.s', { placements: ['nowhere'] });
      assert.match(stderr, /Warning: Nobody gets it: Not live: Placement nowhere\. Declare it, or name other/);
      await patch('adset acme.s', { placements: null });
      const { status, json } = await world.call('PATCH', `${ADS}/adsets/acme.s`, {
        body: { spec: { dayParts: [{ days: ['fri'] }], until: '2026-12-02T12:00:00Z' } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
      assert.equal(status, 422);
      assert.match(json.message, /spec\.dayParts: .*none has a moment between now and 2026-12-02T12:00:00Z/);
    });

    await t.test('time alone ends it', async () => {
      await patch('adset acme.s', { until: '2026-12-01T13:00:00Z', placements: ['between-songs', 'nowhere'] });
      assert.deepEqual(await reasonsOf('adset acme.s'), []);
      now = now.add({ hours: 2 });
      assert.deepEqual(await reasonsOf('adset acme.s'), ['over']);
      assert.deepEqual(await reasonsOf('campaign acme.c'), ['no ad set serving']);
    });

    await t.test('what is shown can be written back, and its status is not kept', async () => {
      const shown = (await run('get adset acme.s -o yaml')).stdout;
      assert.match(shown, /^ {2}- message: It ended at 2026-12-01T13:00:00Z\.$/m);
      assert.deepEqual((await run('replace -f -', shown)).stderr, '');
      assert.equal((await world.call('GET', `${ADS}/adsets/acme.s?stored=true`)).json.status, undefined);
      assert.equal((await world.call('GET', `${ADS}/adsets/acme.s?asOf=${now.toString()}`)).json.status, undefined);
      const { status, text } = await world.call('PUT', `${ADS}/adsets/acme.s/status`, { body: {} });
      assert.equal(status, 404, text);
      const watched = await world.call('GET', `${ADS}/adsets?watch=true&timeoutSeconds=1`);
      assert.deepEqual(JSON.parse(watched.text.split('\n')[0] ?? '').object.status.reasons[0].reason, 'over');
      assert.match((await run('explain adset.status.reasons.remedy')).stdout, /What would end it/);
    });
  },
);
