import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { postgresRefusal } from './refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { canEnter, serverAccount } from './account.ts';

/** In a directory whose data had to go elsewhere: the first line is the path where it is. */
const POINTER = 'DATA-IS-ELSEWHERE';

/** Where a root process keeps the data of directories that its server account cannot reach. */
const HOMES_OF_ROOT = '/var/lib/backline';

/**
 * The directory that holds everything of one server: `data`, the lock and the log. It is the directory asked for,
 * unless we are root and the account that PostgreSQL has to run as cannot get there (a clone below /root): then it is
 * a new one below /var/lib, and the directory asked for says so. The choice is made once.
 */
export async function findHome(asked: string): Promise<string> {
  await makeFolder(asked);
  const directory = await realpath(asked);
  const pointer = join(directory, POINTER);
  if (existsSync(pointer)) return followPointer(pointer);
  if (existsSync(join(directory, 'data')) || canEnter(serverAccount(undefined), directory)) return directory;

  if ((await makeFolder(HOMES_OF_ROOT)) !== undefined) await chmod(HOMES_OF_ROOT, 0o755);
  // The name is new each time: a directory that was deleted and made again must not find its old data.
  const label = directory
    .split('/')
    .slice(-3)
    .join('-')
    .replace(/^\.*-?/, '');
  const home = await mkdtemp(join(HOMES_OF_ROOT, `${label}-`));
  await chmod(home, 0o755);
  const note =
    `${home}\n\nThe data of this directory is in the directory named above: PostgreSQL does not run as root,\n` +
    'and the user it runs as cannot reach this directory. Delete both together.\n';
  try {
    await writeFile(pointer, note, { flag: 'wx' });
    return home;
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    // Two first starts at once: the other one was faster, and its choice holds.
    if (existsSync(pointer)) return followPointer(pointer);
    throw error;
  }
}

function followPointer(pointer: string): string {
  const home = readFileSync(pointer, 'utf8').split('\n')[0] ?? '';
  if (existsSync(home)) return home;
  throw postgresRefusal(
    'data-missing',
    `${pointer} says that the data is in "${home}", and there is no such directory.`,
  );
}
