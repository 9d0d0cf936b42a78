import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and the missing ones above it; an existing folder is left as it is. Returns the first folder that it made.
 * Node's recursive mkdir is not used: it never ends where a filesystem answers ENOENT, as /proc does.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | undefined> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await isThere(folder)); folder = dirname(folder)) missing.unshift(folder);
  if (missing.length === 0) await makeOne(path, mode);
  let first: string | undefined;
  for (const folder of missing) if (await makeOne(folder, mode)) first ??= folder;
  return first;
}

/** Whether it made the folder: another process may be faster. */
async function makeOne(folder: string, mode: number): Promise<boolean> {
  try {
    await mkdir(folder, { mode });
    return true;
  } catch (error) {
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() === true) return false;
    throw error;
  }
}

/** The walk upwards ends at the root at the latest: it counts as there. */
async function isThere(path: string): Promise<boolean> {
  if (path === dirname(path)) return true;
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
