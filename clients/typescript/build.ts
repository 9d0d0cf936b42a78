/**
 * `npm run build:client`: bundles the client for Node.js 22 and later into `package/dist`, puts the licenses beside it, and
 * says how large it is. `npm pack` in `package` does it first.
 */
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

const folder = import.meta.dirname;
const root = resolve(folder, '../..');
const target = join(folder, 'package');

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(folder, 'src/index.ts'), join(folder, 'src/openfeature.ts')],
  outdir: join(target, 'dist'),
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  external: ['@openfeature/server-sdk', 'temporal-polyfill/global'],
  metafile: true,
});
await copyFile(join(root, 'LICENSE'), join(target, 'LICENSE'));
await writeFile(join(target, 'THIRD-PARTY-NOTICES'), await noticesOf(metafile));
for (const file of Object.keys(metafile.outputs)) {
  const bytes = await readFile(join(root, file));
  const size = (length: number): string => (length / 1024).toFixed(0);
  console.log(`${file}: ${size(bytes.length)} KiB, ${size(gzipSync(bytes).length)} KiB compressed`);
}

/** The license of each package that is in the bundle. A package without one ends the build. */
async function noticesOf({ inputs }: Metafile): Promise<string> {
  const paths = Object.keys(inputs).flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const notices: string[] = [];
  for (const path of [...new Set(paths)].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license: string;
    };
    const file = (await readdir(join(root, path))).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${path} says nothing of its license`);
    const text = (await readFile(join(root, path, file), 'utf8')).trim();
    notices.push(`${name} ${version} (${license})\n\n${text}\n`);
  }
  return notices.join(`\n${'-'.repeat(80)}\n\n`);
}
