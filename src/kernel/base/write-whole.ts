import { open, rename } from 'node:fs/promises';

/**
 * Replaces a file in one step, durably. A reader finds the new text or the old one, also after a power cut. Only its
 * owner may read it.
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
