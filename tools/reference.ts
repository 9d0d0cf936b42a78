/** Writes `docs/reference` anew: `npm run reference`. */
import { glob, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HAND_WRITTEN, referencePages } from './reference/pages.ts';

const folder = resolve(import.meta.dirname, '../docs/reference');
const pages = referencePages();
for await (const path of glob('**/*.{md,json}', { cwd: folder })) {
  if (!HAND_WRITTEN.includes(path)) await rm(join(folder, path));
}
for (const [path, text] of pages) {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
console.log(`${pages.size} pages in docs/reference`);
