/** `npm run bench -- NAME… [--json]`: measures and prints; the exit status says only whether it could measure. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Figure } from './figure.ts';

// src/main.ts sets the same flag.
setFlagsFromString('--no-allocation-site-pretenuring');

const known = readdirSync(import.meta.dirname)
  .filter((file) => /^export async function\* run\(/m.test(readFileSync(join(import.meta.dirname, file), 'utf8')))
  .map((file) => file.slice(0, -3))
  .sort();
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const json = process.argv.includes('--json');
const unknown = asked.filter((name) => !known.includes(name));

if (process.argv.includes('--help') || unknown.length > 0) {
  if (unknown.length > 0) console.error(`there is no benchmark ${unknown.join(', ')}`);
  console.error(`npm run bench -- [${known.join(' | ')}]… [--json]\nWithout names all are run, one after the other.`);
  process.exit(unknown.length > 0 ? 64 : 0);
}

for (const name of asked.length === 0 ? known : asked) {
  if (!json) console.log(`\n${name}`);
  const { run } = (await import(join(import.meta.dirname, `${name}.ts`))) as { run: () => AsyncIterable<Figure> };
  for await (const figure of run()) {
    if (json) console.log(JSON.stringify(figure));
    else {
      const peer = figure.peer === null ? '' : `  peer ${figure.peer}  ratio ${figure.ratio}`;
      console.log(
        `  ${figure.met ? 'met    ' : 'NOT MET'} ${figure.name}: ${figure.ours} ${figure.unit}${peer}  (goal ${figure.goal})`,
      );
    }
  }
}
process.exit(0);
