import { open, rename } from 'node:fs/promises';

/**
 * Replaces a file in one step, durably: whoever reads it, also after a power cut, finds all of it or what was there
 * before. Its owner alone may read it.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
