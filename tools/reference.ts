/** Writes `docs/reference` anew: `npm run reference`. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { referencePages } from './reference/pages.ts';

const folder = resolve(import.meta.dirname, '../docs/reference');
const pages = referencePages();
await rm(folder, { recursive: true, force: true });
for (const [path, text] of pages) {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
console.log(`${pages.size} pages in docs/reference`);
