/** Where a value stands in the bytes of a text. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the value at a path stands in JSON; undefined when there is none. It reads keys as JSON.stringify writes them and
 * takes the first of several equal ones. The text must be valid.
 *
 * @param from where the value that the path begins in stands
 */
export function rangeAt(json: Uint8Array, path: readonly (Uint8Array | number)[], from = 0): Range | undefined {
  let at = skipSpace(json, from);
  for (const step of path) {
    const found = typeof step === 'number' ? itemAt(json, at, step) : memberAt(json, at, step);
    if (found === undefined) return undefined;
    at = found;
  }
  return { start: at, end: endOfValue(json, at) };
}

function memberAt(json: Uint8Array, object: number, key: Uint8Array): number | undefined {
  let found: number | undefined;
  readMembers(json, object, (start, end, value) => {
    if (!isKey(json, start, end, key)) return endOfValue(json, value);
    found = value;
    return undefined;
  });
  return found;
}

/**
 * Reads the members of an object in their order, and gives where it ends.
 *
 * @param endOf gives where the value at `value` ends, of a key between its quotes; undefined where nothing more is to be read
 */
export function readMembers(
  json: Uint8Array,
  from: number,
  endOf: (keyStart: number, keyEnd: number, value: number) => number | undefined,
): number | undefined {
  const object = skipSpace(json, from);
  if (json[object] !== OPEN_OBJECT) return undefined;
  let at = skipSpace(json, object + 1);
  while (json[at] === QUOTE) {
    const end = endOfString(json, at);
    const valueEnd = endOf(at + 1, end - 1, skipSpace(json, skipSpace(json, end) + 1));
    if (valueEnd === undefined) return undefined;
    at = skipSpace(json, valueEnd);
    if (json[at] !== COMMA) break;
    at = skipSpace(json, at + 1);
  }
  return at + 1;
}

/** Whether a key between its quotes is this one. */
export function isKey(json: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  return end - start === key.length && isAt(json, start, key);
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

/** Where the value that begins there ends. */
export function endOfValue(json: Uint8Array, start: number): number {
  const first = json[start];
  if (first === QUOTE) return endOfString(json, start);
  let at = start;
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    while (at < json.length && !isEnd(json[at])) at += 1;
    return at;
  }
  const { length } = json;
  let depth = 0;
  while (at < length) {
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
  const { length } = json;
  let at = start + 1;
  for (; at < length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) break;
    if (byte === BACKSLASH) at += 1;
  }
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
