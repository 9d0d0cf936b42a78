/** Where a value stands in the bytes of a text. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the value at a path stands in JSON; undefined when there is none. It reads keys as JSON.stringify writes them and
 * takes the first of several equal ones. The text must be valid.
 */
export function rangeAt(json: Uint8Array, path: readonly (Uint8Array | number)[]): Range | undefined {
  let at = skipSpace(json, 0);
  for (const step of path) {
    const found = typeof step === 'number' ? itemAt(json, at, step) : memberAt(json, at, step);
    if (found === undefined) return undefined;
    at = found;
  }
  return { start: at, end: endOfValue(json, at) };
}

function memberAt(json: Uint8Array, object: number, key: Uint8Array): number | undefined {
  if (json[object] !== OPEN_OBJECT) return undefined;
  let at = skipSpace(json, object + 1);
  while (json[at] === QUOTE) {
    const end = endOfString(json, at);
    const value = skipSpace(json, skipSpace(json, end) + 1);
    if (end - at - 2 === key.length && isAt(json, at + 1, key)) return value;
    at = skipSpace(json, endOfValue(json, value));
    if (json[at] !== COMMA) return undefined;
    at = skipSpace(json, at + 1);
  }
  return undefined;
}

function itemAt(json: Uint8Array, array: number, index: number): number | undefined {
  if (json[array] !== OPEN_ARRAY) return undefined;
  let at = skipSpace(json, array + 1);
  if (json[at] === CLOSE_ARRAY) return undefined;
  for (let left = index; left > 0; left -= 1) {
    at = skipSpace(json, endOfValue(json, at));
    if (json[at] !== COMMA) return undefined;
    at = skipSpace(json, at + 1);
  }
  return at;
}

function isAt(json: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index += 1) if (json[at + index] !== key[index]) return false;
  return true;
}

function endOfValue(json: Uint8Array, start: number): number {
  const first = json[start];
  if (first === QUOTE) return endOfString(json, start);
  let at = start;
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    while (at < json.length && !isEnd(json[at])) at += 1;
    return at;
  }
  let depth = 0;
  while (at < json.length) {
    const byte = json[at];
    if (byte === QUOTE) {
      at = endOfString(json, at);
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return at;
}

function endOfString(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(json[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isEnd(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || isSpace(byte);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
