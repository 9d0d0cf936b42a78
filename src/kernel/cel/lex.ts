import { CelSyntaxError } from './cel-error.ts';
import type { Constant, ConstantType } from './syntax.ts';

export type Token =
  | { readonly is: 'constant'; readonly type: ConstantType; readonly value: Constant; readonly at: number }
  /** A name, also a reserved one; `isQuoted` in back-ticks. */
  | { readonly is: 'name'; readonly text: string; readonly isQuoted: boolean; readonly at: number }
  | { readonly is: 'symbol'; readonly text: string; readonly at: number }
  | { readonly is: 'end'; readonly at: number };

const SPACE = /[\t\n\f\r ]+|\/\/[^\n]*/y;
const SYMBOL = /==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()[\]{}]/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const QUOTED_NAME = /`([A-Za-z0-9_.\-/ ]+)`/y;
const DOUBLE = /(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/y;
const INTEGER = /(0x[0-9a-fA-F]+|[0-9]+)([uU]?)/y;
const STRING = /([bB]?)([rR]?)("""|'''|"|')/y;

const INT_MAX = 2n ** 63n;
const UINT_MAX = 2n ** 64n - 1n;

/** The tokens of a text, the end too. `int` constants may be 2^63: the sign before it is a symbol. */
export function lex(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text) ?? undefined;
    return found;
  };
  while (at < text.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space[0].length;
      continue;
    }
    const string = match(STRING);
    if (string !== undefined) {
      const read = readString(text, at, string);
      tokens.push({ is: 'constant', type: read.type, value: read.value, at });
      at = read.end;
      continue;
    }
    const found = match(DOUBLE) ?? match(INTEGER) ?? match(NAME) ?? match(QUOTED_NAME) ?? match(SYMBOL);
    if (found === undefined) throw new CelSyntaxError(`unexpected character ${JSON.stringify(text[at])}`, at);
    tokens.push(tokenOf(found, at));
    at += found[0].length;
  }
  tokens.push({ is: 'end', at });
  return tokens;
}

function tokenOf(found: RegExpExecArray, at: number): Token {
  const [text, first, second] = found;
  const head = text.charAt(0);
  if (head === '`') return { is: 'name', text: first ?? '', isQuoted: true, at };
  if (/[A-Za-z_]/.test(head)) return { is: 'name', text, isQuoted: false, at };
  if (!/[0-9]/.test(head) && !/^\.[0-9]/.test(text)) return { is: 'symbol', text, at };
  if (first === undefined) return { is: 'constant', type: 'double', value: Number(text), at };
  const value = BigInt(first);
  if (second !== '') {
    if (value > UINT_MAX) throw new CelSyntaxError(`${text} is larger than a uint`, at);
    return { is: 'constant', type: 'uint', value, at };
  }
  if (value > INT_MAX) throw new CelSyntaxError(`${text} is larger than an int`, at);
  return { is: 'constant', type: 'int', value, at };
}

function readString(
  text: string,
  at: number,
  [opening, bytes = '', raw = '', quote = '']: RegExpExecArray,
): { readonly type: 'string' | 'bytes'; readonly value: string | Uint8Array; readonly end: number } {
  const from = at + opening.length;
  const isLong = quote.length === 3;
  let end = from;
  for (; !text.startsWith(quote, end); end += 1) {
    if (end >= text.length || (!isLong && /[\n\r]/.test(text.charAt(end)))) {
      throw new CelSyntaxError(`the string has no closing ${quote}`, at);
    }
    if (raw === '' && text.charAt(end) === '\\') end += 1;
  }
  const written = isLong ? text.slice(from, end).replace(/\r\n?/g, '\n') : text.slice(from, end);
  const isBytes = bytes !== '';
  const value = isBytes
    ? raw === ''
      ? unescapeBytes(written, from)
      : new TextEncoder().encode(written)
    : raw === ''
      ? unescapeText(written, from)
      : written;
  return { type: isBytes ? 'bytes' : 'string', value, end: end + quote.length };
}

const ESCAPE = /\\(?:([abfnrtv\\?"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|)/g;
const NAMED: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unescapeText(written: string, from: number): string {
  return written.replace(ESCAPE, (...found: (string | number | undefined)[]) => {
    const { named, code, offset } = escapeIn(found, from);
    if (named !== undefined) return named;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      throw new CelSyntaxError('the escape is no Unicode character', offset);
    return String.fromCodePoint(code);
  });
}

function unescapeBytes(written: string, from: number): Uint8Array {
  const parts: number[] = [];
  const encoder = new TextEncoder();
  let done = 0;
  for (const match of written.matchAll(ESCAPE)) {
    parts.push(...encoder.encode(written.slice(done, match.index)));
    const { named, code, offset, isUnicode } = escapeIn([...match, match.index], from);
    if (isUnicode) throw new CelSyntaxError('bytes have no Unicode escapes: write \\x and two digits', offset);
    if (named === undefined) parts.push(code);
    else parts.push(...encoder.encode(named));
    done = match.index + match[0].length;
  }
  parts.push(...encoder.encode(written.slice(done)));
  return Uint8Array.from(parts);
}

/** @param found the groups of ESCAPE, then the index */
function escapeIn(
  [all, named, hex, short, long, octal, index]: readonly (string | number | undefined)[],
  from: number,
): { readonly named?: string; readonly code: number; readonly offset: number; readonly isUnicode: boolean } {
  const offset = from + Number(index);
  if (typeof named === 'string') return { named: NAMED[named] ?? named, code: 0, offset, isUnicode: false };
  const digits = hex ?? short ?? long;
  if (typeof digits === 'string') {
    return { code: parseInt(digits, 16), offset, isUnicode: hex === undefined };
  }
  if (typeof octal === 'string') return { code: parseInt(octal, 8), offset, isUnicode: false };
  throw new CelSyntaxError(`${String(all)} is no escape: a backslash is written \\\\`, offset);
}
