import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const kubectl = (await findKubectls()).at(-1);
const skip = kubectl === undefined ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const HOW_TO = 'docs/how-to/give-rights-to-an-account.md';
const OBJECTS = 'advertisers,campaigns,adsets,ads,assets';
const ADSETS = '/apis/ads.backline.dev/v1/namespaces/default/adsets';
const MERGE = { 'content-type': 'application/merge-patch+json' };
/** Of nobody: as long as the account of the others, so that columns are as wide. */
const ABSENT = 'void';

/** Two advertisers, each with an agency that has the rights of the how-to. */
async function startMarket(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-1234,ann,1,agency-acme\nbob-token-1234,bob,2,agency-bolt\n');
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'controllers', 'ingest'],
    access: { tokenFile },
    rollUpSeconds: 1,
  });
  const run = (token: string, line: string, input = '') =>
    execute(
      kubectl?.file ?? '',
      [`--kubeconfig=${world.running.kubeconfigFile}`, `--token=${token}`, ...line.split(' ')],
      input,
      { HOME: folder },
    );
  const backline = async (token: string, line: string) => {
    const io = { ...fakeIo(), env: {} };
    const status = await runCommandLine([...line.split(' '), '--server', world.url, '--token', token], io);
    return { status, out: io.written.stdout, err: io.written.stderr };
  };
  await declareAds(world, [advertiserWithAd('acme'), advertiserWithAd('bolt')], { slots: 2 });
  const [, manifest = ''] = /```yaml\n(.*?)```/s.exec(await readFile(HOW_TO, 'utf8')) ?? [];
  for (const account of ['acme', 'bolt']) {
    const own = manifest.replaceAll('acme', account).replaceAll('agency-north', `agency-${account}`);
    const applied = await run(world.connection.token ?? '', 'apply -f -', own);
    assert.equal(applied.code, 0, applied.stderr);
  }
  return {
    ...world,
    ann: (line: string, input?: string) => run('ann-token-1234', line, input),
    bob: (line: string, input?: string) => run('bob-token-1234', line, input),
    annsBackline: (line: string) => backline('ann-token-1234', line),
  };
}

const manifestOf = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'ads.backline.dev/v1', kind, metadata: { name, namespace: 'default' }, spec });

const namesIn = (text: string): readonly string[] => text.trim().split('\n').filter(Boolean);

test(
  'two advertisers: neither can learn of the other by any list, watch, error, name, token, ledger or report',
  { skip },
  async (t) => {
    const { ann, bob, annsBackline, call } = await startMarket(t);
    const asAnn = { token: 'ann-token-1234' };

    await t.test('lists show what is their own, and say so', async () => {
      const listed = await ann(`get ${OBJECTS} -o name`);
      assert.equal(listed.code, 0, listed.stderr);
      const names = namesIn(listed.stdout).map((name) => name.replace('.ads.backline.dev', ''));
      assert.deepEqual(names, ['advertiser/acme', 'campaign/acme.c', 'adset/acme.s', 'ad/acme.a', 'asset/acme.f']);
      assert.match(listed.stderr, /Warning: you may reach adsets only with fieldSelector=spec\.account=acme: /);
      assert.deepEqual(namesIn((await bob('get adsets -o name')).stdout), ['adset.ads.backline.dev/bolt.s']);
      const selected = await ann('get adsets --field-selector=spec.account=bolt -o name');
      assert.deepEqual([selected.code, selected.stdout], [0, '']);
    });

    await t.test('an object of the others is answered as one that is not there, whatever is asked', async () => {
      const { code, stderr } = await ann('get adset bolt.s');
      assert.equal(code, 1);
      assert.match(stderr, /NotFound.*"bolt\.s" not found among those with fieldSelector=spec\.account=acme$/m);
      const asked: readonly (readonly [line: (name: string) => string, input?: (account: string) => string])[] = [
        [(name) => `get adset ${name}.s`],
        [(name) => `get advertiser ${name}`],
        [(name) => `get adset ${name}.s -o yaml`],
        [(name) => `delete ad ${name}.a`],
        [(name) => `patch campaign ${name}.c --type=merge -p {"spec":{"paused":true}}`],
        [(name) => `label asset ${name}.f a=b`],
        [(name) => `get --raw ${ADSETS}/${name}.s/history`],
        [(name) => `get --raw ${ADSETS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name=${name}.s`],
        // A name of theirs: as its own, as of the owner, and with a field that does not exist.
        [() => 'create -f -', (name) => manifestOf('Campaign', `${name}.c`, { account: 'acme' })],
        [() => 'create -f -', (name) => manifestOf('Campaign', `${name}.c`, { account: name })],
        [() => 'create -f -', (name) => manifestOf('Campaign', `${name}.c`, { account: name, colour: 'red' })],
        [() => 'apply -f -', (name) => manifestOf('Campaign', `${name}.c`, { account: 'acme', title: 'Mine' })],
        // A reference to theirs.
        [
          () => 'create -f -',
          (name) => manifestOf('AdSet', 'acme.x', { account: 'acme', campaign: `${name}.c`, bid: '1' }),
        ],
      ];
      for (const [line, input] of asked) {
        const [theirs, absent] = await Promise.all(
          ['bolt', ABSENT].map((name) => ann(line(name), input?.(name) ?? '')),
        );
        const withAbsent = (text = '') => text.replaceAll('bolt', ABSENT);
        assert.equal(theirs?.code, absent?.code, line('bolt'));
        assert.equal(withAbsent(theirs?.stderr), withAbsent(absent?.stderr), line('bolt'));
        assert.equal(withAbsent(theirs?.stdout), absent?.stdout, line('bolt'));
        assert.equal(theirs?.stdout, '', line('bolt'));
      }
      const set = (name: string) =>
        call('POST', '/apis/releases.backline.dev/v1/changesets', {
          body: {
            apiVersion: 'releases.backline.dev/v1',
            kind: 'ChangeSet',
            metadata: {},
            spec: { objects: [JSON.parse(manifestOf('Campaign', `${name}.c`, { account: name }))] },
          },
          ...asAnn,
        });
      const over = async (name: string) => {
        const object = JSON.parse(manifestOf('Campaign', `${name}.c`, { account: 'acme' }));
        object.metadata.resourceVersion = '7';
        const body = {
          apiVersion: 'releases.backline.dev/v1',
          kind: 'ChangeSet',
          metadata: {},
          spec: { objects: [object] },
        };
        return (await call('POST', '/apis/releases.backline.dev/v1/changesets', { body, ...asAnn })).text;
      };
      assert.equal((await over('bolt')).replaceAll('bolt', ABSENT), await over(ABSENT), 'not who changed it, nor when');
      const [theirs, absent] = [await set('bolt'), await set(ABSENT)];
      assert.equal(theirs.status, 403, theirs.text);
      assert.equal(theirs.json.message.replaceAll('bolt', ABSENT), absent.json.message);
      assert.equal((await call('GET', `${ADSETS.replace('adsets', 'campaigns')}/bolt.c`)).json.spec.paused, undefined);
    });

    await t.test('they write their own ad sets of the auction, and give none away', async () => {
      const spec = { account: 'acme', campaign: 'acme.c', bid: '1.00' };
      for (const name of ['acme.t', 'acme.u', 'acme.v']) {
        const made = await ann('apply -f -', manifestOf('AdSet', name, spec));
        assert.equal(made.code, 0, made.stderr);
      }
      const sponsored = await ann('apply -f -', manifestOf('AdSet', 'acme.w', { ...spec, tier: 'sponsorship' }));
      assert.match(sponsored.stderr, /allowed for objects with fieldSelector=spec\.account=acme,spec\.tier=auction/);
      const raised = await ann('patch adset acme.t --type=merge -p {"spec":{"tier":"guaranteed"}}');
      assert.match(raised.stderr, /Forbidden/);
      const given = await ann('patch adset acme.t --type=merge -p {"spec":{"account":"bolt"}}');
      assert.match(given.stderr, /Forbidden/);
      assert.match((await ann('delete adset acme.v')).stdout, /deleted/);
      assert.match((await ann('patch advertiser acme --type=merge -p {"spec":{"title":"Free"}}')).stderr, /Forbidden/);
    });

    await t.test('pages of a list name nobody else, nor how many there are', async () => {
      const seen: string[] = [];
      let token = '';
      do {
        const page = await ann(`get --raw ${ADSETS}?limit=1&continue=${token}`);
        const { metadata, items } = JSON.parse(page.stdout);
        assert.equal(metadata.remainingItemCount, undefined);
        seen.push(...items.map((item: { metadata: { name: string } }) => item.metadata.name));
        token = metadata.continue ?? '';
        assert.doesNotMatch(Buffer.from(token, 'base64url').toString(), /bolt/);
        // Meanwhile the others write.
        await call('PATCH', `${ADSETS}/bolt.s`, { body: { spec: { bid: `3.0${seen.length}` } }, headers: MERGE });
      } while (token !== '');
      assert.deepEqual(seen, ['acme.s', 'acme.t', 'acme.u']);
      const stranger = JSON.parse((await bob(`get --raw ${ADSETS}?limit=1`)).stdout);
      assert.deepEqual([stranger.items.length, stranger.metadata.continue], [1, undefined], 'it has one, and no more');
    });

    await t.test('a watch tells of their own changes alone', async () => {
      const { metadata } = (await call('GET', ADSETS)).json;
      for (const name of ['bolt.s', 'acme.s', 'bolt.s']) {
        const patched = await call('PATCH', `${ADSETS}/${name}`, { body: { spec: { paused: true } }, headers: MERGE });
        assert.equal(patched.status, 200, patched.text);
      }
      await call('DELETE', `${ADSETS.replace('adsets', 'ads')}/bolt.a`);
      await call('DELETE', `${ADSETS}/bolt.s`);
      const path = `${ADSETS}?watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`;
      const events = namesIn((await ann(`get --raw ${path}`)).stdout).map((line) => JSON.parse(line));
      assert.deepEqual(
        events.map(({ type, object }) => [type, object.metadata.name, object.spec.paused]),
        [['MODIFIED', 'acme.s', true]],
      );
    });

    await t.test('the ledger and reports of their account, and of no other', async () => {
      const own = await annsBackline('ads report --account acme --by adSet,day');
      assert.equal(own.status, 0, own.err);
      assert.match(own.out, /^adSet +day +impressions/);
      for (const line of ['ads report --account', 'ads reconcile']) {
        const [theirs, absent] = [await annsBackline(`${line} bolt`), await annsBackline(`${line} ${ABSENT}`)];
        assert.equal(theirs.status, 1);
        assert.match(theirs.err, /forbidden|not found/);
        assert.equal(theirs.err.replaceAll('bolt', ABSENT), absent.err);
      }
      const report = await call('POST', '/apis/ads.backline.dev/v1/namespaces/default/advertisers/bolt/report', {
        body: { apiVersion: 'ads.backline.dev/v1', kind: 'AdvertiserReport', metadata: {}, spec: {} },
        ...asAnn,
      });
      assert.equal(report.status, 404, report.text);
      for (const account of ['default/bolt', `default/${ABSENT}`, 'acme', '', '/', 'other/acme']) {
        const answer = await call('POST', '/v1/ads/ledger', { body: { account }, ...asAnn });
        assert.equal(answer.status, 403, `${account}: ${answer.text}`);
      }
      const listed = await call('GET', '/v1/ads/ledger?account=default/acme', asAnn);
      assert.equal(listed.status, 200, listed.text);
    });

    await t.test('answers that tell of everybody are closed', async () => {
      for (const line of ['ads report', 'ads explain --placement between-songs --plan free --market de']) {
        assert.match(
          (await annsBackline(line)).err,
          /cannot (create resource "queries"|get path "\/v1\/ads\/explain")/,
        );
      }
      for (const resource of ['auditrecords', 'events', 'heads', 'placements', 'roles']) {
        assert.match((await ann(`get ${resource}`)).stderr, /Forbidden/, resource);
      }
      const may = await ann('auth can-i --list');
      assert.match(
        may.stderr,
        /these rules are for some objects only: .*adsets.* with fieldSelector=spec\.account=acme/,
      );
      assert.equal((await ann('auth can-i list adsets')).code, 1, 'not all of them');
    });
  },
);
