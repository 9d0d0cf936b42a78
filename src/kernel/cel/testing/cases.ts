import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { readTextProto, type TextMessage, type TextValue } from './text-proto.ts';

/** A case of the conformance suite of CEL, in the JSON form of its message. */
export interface CelCase {
  readonly file: string;
  readonly name: string;
  readonly expr: string;
  /** The type that cel-go finds, where the suite says it. */
  readonly type: string | undefined;
  readonly content: Json;
}

// eslint-disable-next-line typescript/no-explicit-any -- messages of another schema
export type Json = any;

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Json; readonly type?: string }[];
}

/** Those of cel-spec v0.25.1, with the types of cel-go. */
export function packagedCases(): readonly CelCase[] {
  const inSuite = (file: string, { suites = [], tests: own = [] }: Suite): readonly CelCase[] => [
    ...own.map(({ original, type }) => ({ file, name: original.name, expr: original.expr, type, content: original })),
    ...suites.flatMap((suite) => inSuite(file, suite)),
  ];
  return ((tests as Suite).suites ?? []).flatMap((suite) => inSuite(suite.name, suite));
}

/** Those of an archive (`.tar.gz`) of cel-spec's `tests/simple/testdata`, as they are written there. */
export function archivedCases(path: string): readonly CelCase[] {
  const archive = gunzipSync(readFileSync(path));
  return [...filesIn(archive)]
    .filter(([path]) => path.endsWith('.textproto'))
    .flatMap(([path, text]) => casesIn(path.replace(/^.*\/|\.textproto$/g, ''), text));
}

function casesIn(file: string, text: string): readonly CelCase[] {
  const { section: sections = [] } = jsonOf(readTextProto(text));
  return sections.flatMap(({ test: own = [] }: Json) =>
    own.map((content: Json) => ({ file, name: content.name, expr: content.expr, type: undefined, content })),
  );
}

/** Name and text of the files of a tar archive. */
function* filesIn(archive: Buffer): Iterable<readonly [string, string]> {
  const BLOCK = 512;
  for (let at = 0; archive[at] !== undefined && archive[at] !== 0;) {
    const name = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = parseInt(archive.toString('utf8', at + 124, at + 136), 8);
    yield [name, archive.toString('utf8', at + BLOCK, at + BLOCK + size)];
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function jsonOf(value: TextValue, name = ''): Json {
  if (Buffer.isBuffer(value)) return value.toString(name === 'bytesValue' ? 'base64' : 'utf8');
  if (Array.isArray(value)) {
    const items = value.map((item: TextValue) => jsonOf(item));
    return name === 'bindings' ? Object.fromEntries(items.map(({ key, value: bound }) => [key, bound])) : items;
  }
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value as TextMessage).map(([key, part]) => [key, jsonOf(part, key)]));
  }
  if (value === 'true' || value === 'false') return value === 'true';
  const doubles: Json = { inf: 'Infinity', '-inf': '-Infinity', nan: 'NaN' };
  return name === 'doubleValue' ? (doubles[value] ?? value) : value;
}
