import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { advertiserWithAd } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { ADS, declarePlacement, draftOf, DRAFTS } from '../support/drafts.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const kubectl = (await findKubectls()).at(-1);

/** Backline with a placement, a folder for files, and the command line in it. */
async function startTerminal(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-drafts-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const world = await startWorld(t, { roles: ['api'] });
  await declarePlacement(world.call);
  return {
    ...world,
    directory,
    /** Writes the file `all.yaml`. */
    write: (objects: readonly object[]) =>
      writeFile(join(directory, 'all.yaml'), objects.map((object) => JSON.stringify(object)).join('\n---\n')),
    backline: async (line: string) => {
      const io = { ...fakeIo({ directory }), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
      const status = await runCommandLine(line.split(' '), io);
      return { status, out: io.written.stdout, err: io.written.stderr };
    },
  };
}

test('backline draft: what it builds on is kept from save to save, until it is rebased', async (t) => {
  const { call, write, backline } = await startTerminal(t);
  const objects = advertiserWithAd('acme').map(([, object]) => object);
  await write(objects);
  const saved = await backline('draft save spring -f all.yaml --account acme');
  assert.deepEqual(
    [saved.status, saved.out],
    [0, 'draft.releases.backline.dev/spring created: 5 objects, 5 new, 0 over what is declared\n'],
  );
  assert.equal((await backline('draft publish spring')).status, 0);

  const adSet = (await call('GET', `${ADS}/adsets/acme.s`)).json;
  const withBid = (bid: string) => ({ ...adSet, metadata: { name: 'acme.s' }, spec: { ...adSet.spec, bid } });
  await write([withBid('9.50')]);
  const first = JSON.parse((await backline('draft save bids -f all.yaml -o json')).out);
  assert.equal(first.spec.objects[0].metadata.resourceVersion, adSet.metadata.resourceVersion);
  const put = await call('PUT', `${ADS}/adsets/acme.s`, { body: { ...adSet, spec: { ...adSet.spec, bid: '9.25' } } });
  assert.equal(put.status, 200);
  await write([withBid('9.75')]);
  const again = JSON.parse((await backline('draft save bids -f all.yaml -o json')).out);
  assert.equal(again.spec.objects[0].metadata.resourceVersion, adSet.metadata.resourceVersion, 'the first look counts');
  const invalid = await backline('draft validate bids');
  assert.equal(invalid.status, 1);
  assert.match(
    invalid.out,
    /^ {4}! metadata\.resourceVersion: It was changed by admin at \S+; the draft builds on version \d+\.$/m,
  );
  const refused = await backline('draft publish bids');
  assert.equal(refused.status, 1);
  assert.match(
    refused.err,
    /^error: Draft "bids": AdSet "acme\.s": It was changed by admin at .*: nothing was written\./,
  );
  const shown = await backline('draft show bids');
  assert.equal(shown.status, 0);
  assert.match(shown.out, /~ spec\.bid: "9\.25" → "9\.75"/);
  assert.match(shown.out, /^It cannot be published:$/m);
  const rebased = await backline('draft save bids -f all.yaml --rebase');
  assert.match(rebased.out, /saved: 1 object, 0 new, 1 over what is declared$/m);
  const valid = await backline('draft validate bids -o yaml');
  assert.equal(valid.status, 0);
  assert.match(valid.out, /^valid: true$/m);
  const published = JSON.parse((await backline('draft publish bids -o json')).out);
  assert.deepEqual(
    published.results.map(({ name, action }: { name: string; action: string }) => [name, action]),
    [['acme.s', 'configured']],
  );
  assert.equal((await call('GET', `${ADS}/adsets/acme.s`)).json.spec.bid, '9.75');

  // Published by somebody, and asked again.
  const gone = await backline('draft publish bids');
  assert.equal(gone.status, 1);
  assert.match(
    gone.err,
    /"bids" not found\n→ It may have been published, or discarded: backline history draft bids shows who did that\.$/m,
  );
  const repeated = await backline(`draft publish bids --uid ${first.metadata.uid} -o json`);
  assert.deepEqual([repeated.status, JSON.parse(repeated.out)], [0, published]);
});

test('backline draft: refusals name the file, lists and discarding, and what kubectl makes', async (t) => {
  const { call, write, backline, running, directory } = await startTerminal(t);
  await write([
    ...advertiserWithAd('acme').map(([, object]) => object),
    { apiVersion: 'ads.backline.dev/v1', kind: 'Campain', metadata: { name: 'acme.d' } },
  ]);
  const refused = await backline('draft save spring -f all.yaml');
  assert.equal(refused.status, 1);
  assert.match(
    refused.err,
    /^error: the draft was refused; nothing was saved\.\n {2}all\.yaml:\d+ {2}kind\n {4}no kind "Campain"/,
  );
  assert.equal((await backline('draft save -f all.yaml')).status, 64);
  assert.equal((await backline('draft list')).err, 'No drafts found.\n');
  await write(advertiserWithAd('acme').map(([, object]) => object));
  assert.equal((await backline('draft save spring -f all.yaml --account acme --title Spring')).status, 0);
  assert.equal((await backline('draft save other -f all.yaml')).status, 0);
  assert.match(
    (await backline('draft list --account acme')).out,
    /^NAME +TITLE +ACCOUNT +OBJECTS +AGE\nspring +Spring +acme +5 +\d+s\n$/,
  );
  assert.match((await backline('draft list -A')).out, /^NAMESPACE +NAME/);
  assert.equal(JSON.parse((await backline('draft list -o json')).out).items.length, 2);
  assert.equal((await backline('draft discard spring')).out, 'draft.releases.backline.dev/spring discarded\n');
  assert.equal((await backline('draft discard spring')).status, 1);
  assert.equal((await backline('draft show spring')).status, 1);
  if (kubectl === undefined) return;
  const run = (line: string, input = '') =>
    execute(kubectl.file, [`--kubeconfig=${running.kubeconfigFile}`, ...line.split(' ')], input, { HOME: directory });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'notes' }, data: { a: 'b' } };
  const created = await run('create -f -', JSON.stringify(draftOf('notes', [object])));
  assert.equal(created.stdout, 'draft.releases.backline.dev/notes created\n', created.stderr);
  assert.match((await run('get drafts')).stdout, /^notes +<none> +<none> +1 /m);
  assert.match((await run('get draft notes -o jsonpath={.spec.objects[0].data.a}')).stdout, /^b$/);
  assert.match((await run('explain draft.spec.objects')).stdout, /they may be unfinished/);
  assert.match((await run('delete draft notes')).stdout, /deleted/);
  assert.equal((await call('GET', `${DRAFTS}/notes`)).status, 404);
});
