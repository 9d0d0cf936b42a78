/** `node clients/typescript/build.ts`: bundles the client for Node.js 22 and later into `package/dist`, and says how large it is. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const folder = import.meta.dirname;
const { outputFiles } = await build({
  entryPoints: [join(folder, 'src/index.ts'), join(folder, 'src/openfeature.ts')],
  outdir: join(folder, 'package/dist'),
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  external: ['@openfeature/server-sdk', 'temporal-polyfill/global'],
  metafile: true,
  write: true,
}).then(async ({ metafile }) => ({
  outputFiles: await Promise.all(
    Object.keys(metafile.outputs).map(async (file) => ({ file, bytes: await readFile(file) })),
  ),
}));
for (const { file, bytes } of outputFiles) {
  console.log(
    `${file}: ${(bytes.length / 1024).toFixed(0)} KiB, ${(gzipSync(bytes).length / 1024).toFixed(0)} KiB compressed`,
  );
}
