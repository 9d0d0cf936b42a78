/**
 * Finds words that STYLE.md takes out: in comments, messages, documents and names. `node tools/words.ts [PATH…]` lists them.
 */
import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly word: string;
  readonly text: string;
}

/** Nouns and names of other programs that only look like participles. */
const NOUNS = new Set(['Seed', 'Need', 'Feed', 'Token', 'Screen', 'Kitchen', 'Children', 'Citizen', 'Embedded']);
const PARTICIPLE =
  /^\s*(?:export )?(?:interface|type|class)\s+((?:\w*[a-z])?(?:[A-Z][a-z]*(?:ed|en)|Told|Held|Kept|Known|Said|Lost|Sent|Made|Left|Put|Gone|Standing|Reading))\b/;
/** A comment that begins with "What" as a noun. */
const NOUN_WHAT = /(?:\/\*\*?|^\s*\*|\/\/)\s+What\b(?!.*\?)/;

/** The words of the table in STYLE.md. */
async function wordsOut(): Promise<readonly string[]> {
  const style = await readFile(join(root, 'STYLE.md'), 'utf8');
  const [, table = ''] = style.split('## Words that are out');
  return [...table.matchAll(/^\| ([a-z ]+?) +\|/gm)].map(([, word = '']) => word).filter((word) => word !== 'out');
}

/** Every place below the folders and files, relative to the root, that has a word which is out. */
export async function findWords(places: readonly string[]): Promise<readonly Finding[]> {
  const words = await wordsOut();
  const pattern = new RegExp(`\\b(${words.join('|')})\\b`, 'i');
  const findings: Finding[] = [];
  for (const place of places) {
    const files = /\.\w+$/.test(place) ? [place] : glob(`${place}/**/*.{ts,md}`, { cwd: root });
    for await (const path of files) {
      // A migration that landed is never edited.
      if (path.includes('/migrations/')) continue;
      const lines = (await readFile(join(root, path), 'utf8')).split('\n');
      for (const [index, text] of lines.entries()) {
        const word = pattern.exec(text)?.[1] ?? (path.endsWith('.ts') ? nameOut(text) : undefined);
        if (word !== undefined) findings.push({ path, line: index + 1, word, text: text.trim() });
      }
    }
  }
  return findings;
}

function nameOut(text: string): string | undefined {
  if (NOUN_WHAT.test(text)) return 'What';
  const name = PARTICIPLE.exec(text)?.[1];
  const [last = ''] = /[A-Z][a-z]*$/.exec(name ?? '') ?? [];
  return name === undefined || NOUNS.has(last) ? undefined : name;
}

if (import.meta.main) {
  const places = process.argv.slice(2);
  const findings = await findWords(places.length === 0 ? ['src'] : places);
  for (const { path, line, word, text } of findings) console.log(`${path}:${line} ${word}: ${text}`);
  console.log(`${findings.length} places`);
}
