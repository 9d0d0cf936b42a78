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

/** Folders and files whose words are held. A new room within them is held from its first file. */
export const HELD: readonly string[] = [
  'bench',
  'clients',
  'docs',
  'examples',
  'src',
  'tests',
  'tools',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'GLOSSARY.md',
  'README.md',
];

/** The finder names its words; columns of landed migrations and fields of other tools keep their names. */
const EXEMPT = new Set([
  'bench/flags.ts',
  'src/domains/experience/importers/unleash/strategy.ts',
  'src/domains/experience/importers/unleash/unleash.test.ts',
  'src/domains/products/records/change-events.ts',
  'tools/words.ts',
]);

/** Nouns and names of other programs that only look like participles. */
const NOUNS = new Set(['Seed', 'Need', 'Feed', 'Token', 'Screen', 'Kitchen', 'Children', 'Citizen', 'Embedded']);
const PARTICIPLE =
  /^\s*(?:export )?(?:interface|type|class)\s+((?:\w*[a-z])?(?:[A-Z][a-z]*(?:ed|en)|Told|Held|Kept|Known|Said|Lost|Sent|Made|Left|Put|Gone|Standing|Reading))\b/;
/** Participles without "ed" or "en" at the end; `read`, `set`, `put` and the like are verbs as well. */
const IRREGULAR = new Set(
  'held kept known told said lost sent made left gone shown drawn begun brought found built done paid meant thrown'.split(
    ' ',
  ),
);
/** Verbs and nouns that only look like participles. */
const NO_PARTICIPLES = new Set([
  'between',
  'often',
  'when',
  'embed',
  'feed',
  'flatten',
  'lengthen',
  'listen',
  'loosen',
  'open',
  'seed',
  'shorten',
  'tighten',
  'token',
  'widen',
]);
/** Words that do not make a verb of the participle behind them: `asStored`, `notFound`. */
const PARTICLES = new Set(['as', 'not', 'or', 'since', 'when', 'while']);
const DECLARED = String.raw`(?:export )?(?:async )?function\*? (\w+)|(?:static )?(?:async )?\*?(\w+)\([^)\n]*\): .*\{$`;
const ASSIGNED = String.raw`(?:export )?const (\w+) = (?:async )?(?:<[^>\n]*>)?(?=\()|readonly (\w+)\??: (?=\()`;
const FUNCTION = new RegExp(`^[ \\t]*(?:${DECLARED}|${ASSIGNED})`, 'gm');
/** A comment that begins with "What" as a noun. */
const NOUN_WHAT = /(?:\/\*\*?|^\s*\*|\/\/)\s+What\b(?!.*\?)/;

/** The words of the table in STYLE.md. */
async function wordsOut(): Promise<readonly string[]> {
  const style = await readFile(join(root, 'STYLE.md'), 'utf8');
  const [, table = ''] = style.split('## Words that are out');
  return [...table.matchAll(/^\| ([a-z ]+?) +\|/gm)].map(([, word = '']) => word).filter((word) => word !== 'out');
}

/** Every place below the folders and files, relative to the root, with a word or a name that is out. */
async function findWords(places: readonly string[]): Promise<readonly Finding[]> {
  const words = await wordsOut();
  const pattern = new RegExp(`\\b(${words.join('|')})\\b`, 'i');
  const findings: Finding[] = [];
  for (const place of places) {
    const files = /\.\w+$/.test(place) ? [place] : glob(`${place}/**/*.{ts,md}`, { cwd: root });
    for await (const path of files) {
      // A migration that landed is never edited.
      if (path.includes('/migrations/')) continue;
      const whole = await readFile(join(root, path), 'utf8');
      // Readers search for the words of other tools: the glossary translates them.
      const [content = ''] = path === 'GLOSSARY.md' ? whole.split('\n## Synonyms\n') : [whole];
      for (const [index, text] of content.split('\n').entries()) {
        const word = pattern.exec(text)?.[1] ?? (path.endsWith('.ts') ? nameOut(text) : undefined);
        if (word !== undefined) findings.push({ path, line: index + 1, word, text: text.trim() });
      }
      if (path.endsWith('.ts')) findings.push(...participleFunctions(path, content));
    }
  }
  return findings;
}

/** The findings in those of these places that are held. */
export async function findHeldWords(places: readonly string[]): Promise<readonly Finding[]> {
  const held = places.filter((place) => HELD.some((one) => place === one || place.startsWith(`${one}/`)));
  return (await findWords(held)).filter(({ path }) => !EXEMPT.has(path));
}

/** Every function whose name is a bare participle: `kept`, `asStored`. */
function participleFunctions(path: string, content: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const match of content.matchAll(FUNCTION)) {
    const [text, named, method, assigned, member] = match;
    const declared = named ?? method;
    const end = match.index + text.length;
    if (declared === undefined && !isArrowFunction(content, end)) continue;
    const word = declared ?? assigned ?? member ?? '';
    const line = content.slice(0, end).split('\n').length;
    if (isBareParticiple(word)) findings.push({ path, line, word, text: text.trim() });
  }
  return findings;
}

function isBareParticiple(name: string): boolean {
  const words = name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const last = words.at(-1) ?? '';
  const isAlone = words.length === 1 || (words.length === 2 && PARTICLES.has(words[0] ?? ''));
  return isAlone && !NO_PARTICIPLES.has(last) && (IRREGULAR.has(last) || /^\w{2,}(?:ed|en)$/.test(last));
}

/** Whether the parentheses that open at `start` hold the parameters of an arrow function. */
function isArrowFunction(content: string, start: number): boolean {
  let depth = 0;
  for (let at = start; at < content.length; at += 1) {
    if (content[at] === '(') depth += 1;
    if (content[at] === ')') depth -= 1;
    if (depth === 0) return /^\)(?:: [^=;]+?)? =>/.test(content.slice(at, at + 300));
  }
  return false;
}

function nameOut(text: string): string | undefined {
  if (NOUN_WHAT.test(text)) return 'What';
  const name = PARTICIPLE.exec(text)?.[1];
  const [last = ''] = /[A-Z][a-z]*$/.exec(name ?? '') ?? [];
  return name === undefined || NOUNS.has(last) ? undefined : name;
}

if (import.meta.main) {
  const places = process.argv.slice(2);
  const findings = await findWords(places.length === 0 ? HELD : places);
  for (const { path, line, word, text } of findings) console.log(`${path}:${line} ${word}: ${text}`);
  console.log(`${findings.length} places`);
}
