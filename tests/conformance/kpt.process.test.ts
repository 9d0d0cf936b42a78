import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { isLong } from '../support/amount.ts';
import { startWorld } from '../support/backline.ts';
import { feature, plan } from '../support/catalogue.ts';
import { execute } from '../support/kubectl.ts';

/** It waits ten seconds for its kind, whatever the server says. */
const skip = !isLong()
  ? 'in the long version'
  : hasKpt()
    ? false
    : 'SKIPPED: there is no kpt on the PATH of this machine';

function hasKpt(): boolean {
  try {
    execFileSync('kpt', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test(
  'kpt live installs its inventory kind, applies, waits, prunes what is gone, and takes all away',
  { skip },
  async (t) => {
    await using world = await startWorld(t);
    const { call } = world;
    const folder = await mkdtemp(join(tmpdir(), 'backline-kpt-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const at = join(folder, 'business');
    await mkdir(at);
    const kpt = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await execute(
        'kpt',
        ['live', ...args, '--kubeconfig', world.running.kubeconfigFile],
        folder,
      );
      assert.equal(code, 0, `kpt live ${args.join(' ')}: ${stdout}${stderr}`);
      return stdout + stderr;
    };
    const declare = (...objects: readonly object[]) =>
      writeFile(join(at, 'objects.yaml'), objects.map((one) => stringify(one)).join('---\n'));
    await writeFile(
      join(at, 'Kptfile'),
      stringify({ apiVersion: 'kpt.dev/v1', kind: 'Kptfile', metadata: { name: 'b' } }),
    );
    await declare(feature('offline'), plan('premium'), plan('student'));
    await kpt('install-resource-group');
    await kpt('init', at, '--namespace', 'default', '--name', 'business');
    assert.match(
      await kpt('apply', at, '--reconcile-timeout', '60s'),
      /3 attempted, 3 successful, 0 skipped, 0 failed/,
    );
    const plans = async (): Promise<readonly string[]> =>
      (await call('GET', '/apis/products.backline.dev/v1/namespaces/default/plans')).json.items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      );
    assert.deepEqual(await plans(), ['premium', 'student']);
    await declare(feature('offline'), plan('premium', { seats: 2 }));
    assert.match(await kpt('apply', at), /plan.products.backline.dev\/student prune successful/);
    assert.deepEqual(await plans(), ['premium']);
    assert.match(await kpt('status', at), /plan.products.backline.dev\/default\/premium is Current/);
    await kpt('destroy', at);
    assert.deepEqual(await plans(), []);
  },
);
