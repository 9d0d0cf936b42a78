import {
  Composer,
  LineCounter,
  Parser,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type CST,
  type Document,
  type Node,
} from 'yaml';
import type { Path, Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { tooDeep, valueDepthMax } from '#kernel/kinds/schema/depth.ts';
import type { DecodedText } from './json.ts';
import { malformedBody, refuseNumber, refuseProto, refuseValue } from './malformed-body.ts';

const LIMITS = {
  /** Uses of anchors in one document; a manifest written by hand has a handful. */
  aliasesMax: 100,
  /** Values in one document after its aliases are replaced by what they stand for. */
  valuesMax: 1_000_000,
} as const;

export interface YamlDocument extends DecodedText {
  /** Line of a field, counted from 1; for a field that is absent, of the closest thing around it. */
  readonly lineOf: (path: Path) => number;
}

/**
 * Reads a stream of YAML 1.2 documents (JSON included) as JSON values: aliases are replaced, nothing is shared. Empty
 * documents are left out. Throws a Refusal for what is not YAML (with line and column), for tags, keys that are not
 * text, numbers that JSON does not have or would be rounded, and for too much nesting or repetition.
 */
export function parseYaml(text: string): YamlDocument[] {
  const lines = new LineCounter();
  const documents: YamlDocument[] = [];
  for (const document of compose(text, lines)) {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) {
      const { line, col } = lines.linePos(problem.pos[0]);
      throw malformedBody('YAML', firstSentence(problem.message), line, col);
    }
    if (document.contents === null || isEmpty(document.contents)) continue;
    const reading: ReadState = { document, path: [], duplicates: [], aliases: 0, values: 0 };
    const value = read(document.contents, 0, reading);
    documents.push({ value, duplicates: reading.duplicates, lineOf: (path) => lineOf(document, path, lines) });
  }
  return documents;
}

function compose(text: string, lines: LineCounter): Document[] {
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  refuseDeepTokens(tokens);
  const composer = new Composer({ intAsBigInt: true, uniqueKeys: false, version: '1.2', prettyErrors: false });
  return [...composer.compose(tokens, false, text.length)].filter((document) => 'errors' in document);
}

/** The parser does not recurse, the composer does: so the depth is looked at in between, level by level. */
function refuseDeepTokens(tokens: readonly CST.Token[]): void {
  let level: readonly CST.Token[] = tokens;
  // The document itself is one level above its value.
  for (let depth = -1; level.length > 0; depth++) {
    if (depth > valueDepthMax) throw tooDeep();
    const next: CST.Token[] = [];
    for (const token of level) {
      if ('value' in token && token.value !== undefined) next.push(token.value);
      if (!('items' in token)) continue;
      for (const { key, value } of token.items) {
        if (key) next.push(key);
        if (value) next.push(value);
      }
    }
    level = next;
  }
}

/** A document of nothing but comments holds an empty scalar without source. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null && (node.source ?? '') === '';
}

function firstSentence(message: string): string {
  return message.split('\n')[0]?.replace(/[.:]$/, '') ?? '';
}

interface ReadState {
  readonly document: Document;
  /** Where in the document it is now. */
  readonly path: (string | number)[];
  readonly duplicates: Path[];
  aliases: number;
  values: number;
}

function read(node: unknown, depth: number, reading: ReadState): unknown {
  const { path } = reading;
  if (depth > valueDepthMax) throw tooDeep();
  if (++reading.values > LIMITS.valuesMax) throw tooMuch(`more than ${LIMITS.valuesMax} values`);
  if (isAlias(node)) {
    if (++reading.aliases > LIMITS.aliasesMax) throw tooMuch(`more than ${LIMITS.aliasesMax} aliases`);
    return read(node.resolve(reading.document), depth + 1, reading);
  }
  if (isSeq(node)) return node.items.map((item, index) => readAt(item, index, depth, reading));
  if (isMap(node)) {
    const object: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = keyText(key, path);
      if (name === '__proto__') throw refuseProto([...path, name]);
      if (Object.hasOwn(object, name)) reading.duplicates.push([...path, name]);
      object[name] = readAt(value, name, depth, reading);
    }
    return object;
  }
  return isScalar(node) ? scalar(node.value, path) : null;
}

function readAt(node: unknown, segment: string | number, depth: number, reading: ReadState): unknown {
  reading.path.push(segment);
  const value = read(node, depth + 1, reading);
  reading.path.pop();
  return value;
}

function keyText(key: unknown, path: Path): string {
  if (isScalar(key) && (typeof key.value !== 'object' || key.value === null)) {
    // A key such as 8080 or true means its text, as it was written.
    return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
  }
  throw refuseValue(path, 'a key must be text');
}

function scalar(value: unknown, path: Path): unknown {
  switch (typeof value) {
    case 'bigint': {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw refuseNumber([...path], String(value));
      return number;
    }
    case 'number':
      if (!Number.isFinite(value)) throw refuseNumber([...path], String(value));
      return value;
    case 'string':
    case 'boolean':
      return value;
    default:
      return null;
  }
}

function lineOf(document: Document, path: Path, lines: LineCounter): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document);
    let start: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      start = pair?.key;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      start = node;
    }
    if (!isNode(start) || !start.range) break;
    offset = start.range[0];
  }
  return lines.linePos(offset).line;
}

function tooMuch(what: string): Refusal {
  return resourceRefusal('too-many-values', `The document holds ${what}.`);
}
