import { printParseErrorCode, visit, type ParseErrorCode } from 'jsonc-parser';
import { Refusal, type Path } from '#kernel/base/failures.ts';
import { tooDeep, valueDepthMax } from '../schema/depth.ts';
import { malformed, refuseNumber, refuseProto } from './malformed.ts';

/** A document and where it says the same key twice; the last value of a key counts. */
export interface Decoded {
  readonly value: unknown;
  readonly duplicates: readonly Path[];
}

/** Reads JSON. Throws a Refusal for what is not JSON (with line and column), nested too deep, or would be rounded. */
export function parseJson(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw whereMalformed(text, error);
  }
  const keys = countKeys(value, [], 0);
  // JSON.parse silently drops the first of two equal keys: then there are more colons than keys.
  return { value, duplicates: countColons(text) === keys ? [] : findDuplicates(text) };
}

/** Keys of all objects in a value; refuses what cannot be kept on the way. */
function countKeys(value: unknown, path: (string | number)[], depth: number): number {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      throw refuseNumber([...path], String(value));
    }
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  if (depth >= valueDepthMax) throw tooDeep();
  let keys = 0;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      path.push(index);
      keys += countKeys(item, path, depth + 1);
      path.pop();
    }
    return keys;
  }
  for (const [key, child] of Object.entries(value)) {
    path.push(key);
    if (key === '__proto__') throw refuseProto([...path]);
    keys += 1 + countKeys(child, path, depth + 1);
    path.pop();
  }
  return keys;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Colons outside strings, in text that is valid JSON. */
function countColons(text: string): number {
  let colons = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) inString = !inString;
    else if (inString) {
      if (char === BACKSLASH) at++;
    } else if (char === COLON) colons++;
  }
  return colons;
}

/** Where keys stand that an object already has, in text that is valid JSON of a bearable depth. */
function findDuplicates(text: string): Path[] {
  const duplicates: Path[] = [];
  const open: Set<string>[] = [];
  visit(text, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty: (name, _offset, _length, _line, _column, pathOf) => {
      const keys = open.at(-1);
      if (keys?.has(name)) duplicates.push([...pathOf(), name]);
      keys?.add(name);
    },
  });
  return duplicates;
}

/** JSON.parse does not always say where; this does, at the price of a second reading. */
function whereMalformed(text: string, error: unknown): Refusal {
  if (text.trim() === '') return new Refusal('resources/empty-body', 'BadRequest', 'The body is empty.');
  let found: Refusal | undefined;
  try {
    visit(
      text,
      {
        onError: (code: ParseErrorCode, _offset, _length, line, column) => {
          found ??= malformed('JSON', sentence(printParseErrorCode(code)), line + 1, column + 1);
        },
      },
      { disallowComments: true },
    );
  } catch (overflow) {
    if (overflow instanceof RangeError) return tooDeep();
    throw overflow;
  }
  return found ?? malformed('JSON', error instanceof Error ? error.message : String(error), 1, 1);
}

/** `PropertyNameExpected` → `property name expected`. */
function sentence(code: string): string {
  return code.replaceAll(/(?<=.)([A-Z])/g, ' $1').toLowerCase();
}
