import { CelError } from '../cel-error.ts';
import {
  method,
  noOverload,
  overload,
  textCost,
  textsCost,
  type CelFunction,
  type Library,
  TEXTS_COST,
  maxOf,
  type CallArgument,
} from '../functions.ts';
import { UNKNOWN_SIZE } from '../sizes.ts';
import { DYN, INT, listOf, STRING } from '../types.ts';
import { isInt, isList, isMap, keysOfMap, valuesOfMap, type Value } from '../values.ts';
import { formatText } from './format.ts';

/** White space as Unicode has it; `\s` of JavaScript differs. */
const LEADING_SPACE = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const TRAILING_SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/;

/** Positions and lengths are of characters of Unicode. */
export const STRINGS: Library = {
  functions: [
    {
      name: 'charAt',
      overloads: [method([STRING, INT], STRING)],
      call: (text: Value, at: Value) => {
        const characters = charactersOf('charAt', text);
        const index = placeIn(characters, at);
        return characters[index] ?? '';
      },
      cost: TEXTS_COST,
    },
    {
      name: 'indexOf',
      overloads: [method([STRING, STRING], INT), method([STRING, STRING, INT], INT)],
      call: (text: Value, part: Value, from: Value = 0) => {
        const [within, wanted] = [charactersOf('indexOf', text), charactersOf('indexOf', part)];
        return find(within, wanted, placeIn(within, from), 1);
      },
      cost: TEXTS_COST,
    },
    {
      name: 'lastIndexOf',
      overloads: [method([STRING, STRING], INT), method([STRING, STRING, INT], INT)],
      call: (text: Value, part: Value, from?: Value) => {
        const [within, wanted] = [charactersOf('lastIndexOf', text), charactersOf('lastIndexOf', part)];
        const last = within.length - wanted.length;
        return find(within, wanted, from === undefined ? last : Math.min(placeIn(within, from), last), -1);
      },
      cost: TEXTS_COST,
    },
    {
      name: 'join',
      overloads: [method([listOf(STRING)], STRING), method([listOf(STRING), STRING], STRING)],
      call: (list: Value, separator: Value = '') => {
        if (!isList(list) || typeof separator !== 'string') throw noOverload('join', list, separator);
        return list.map((one) => textIn('join', one)).join(separator);
      },
      cost: {
        of: ([list, separator]) =>
          isList(list as Value)
            ? textsCost(list as Value[]) + (list as Value[]).length * (1 + textCost(separator as Value))
            : 0,
        worst: ([list, separator]) =>
          Math.ceil((maxOf(list) * itemOf(list)) / 10) + maxOf(list) * (1 + Math.ceil(maxOf(separator) / 10)),
      },
      size: ([list, separator]) => ({ max: maxOf(list) * (itemOf(list) + maxOf(separator)) }),
    },
    mapping('lowerAscii', (text) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase())),
    mapping('upperAscii', (text) => text.replace(/[a-z]+/g, (part) => part.toUpperCase())),
    mapping('trim', (text) => text.replace(LEADING_SPACE, '').replace(TRAILING_SPACE, '')),
    mapping('reverse', (text) => Array.from(text).reverse().join('')),
    {
      name: 'replace',
      overloads: [method([STRING, STRING, STRING], STRING), method([STRING, STRING, STRING, INT], STRING)],
      call: (text: Value, old: Value, next: Value, count: Value = -1) => {
        if (!isInt(count)) throw noOverload('replace', text, old, next, count);
        return replace(textIn('replace', text), textIn('replace', old), textIn('replace', next), Number(count));
      },
      cost: {
        // As long as the result may be: each place gets the new text.
        of: ([text, old, next]) =>
          2 * textCost(text as Value, next as Value) + placesOf(old, text) * textCost(next as Value),
        worst: ([text, , next]) =>
          2 * Math.ceil((maxOf(text) + maxOf(next)) / 10) + (maxOf(text) + 1) * Math.ceil(maxOf(next) / 10),
      },
      size: ([text, , next]) => ({ max: (maxOf(text) + 1) * (maxOf(next) + 1) }),
    },
    {
      name: 'split',
      size: ([text]) => ({ max: maxOf(text) + 1, item: { max: maxOf(text) } }),
      overloads: [method([STRING, STRING], listOf(STRING)), method([STRING, STRING, INT], listOf(STRING))],
      call: (text: Value, separator: Value, count: Value = -1) => {
        if (!isInt(count)) throw noOverload('split', text, separator, count);
        return split(textIn('split', text), textIn('split', separator), Number(count));
      },
      cost: TEXTS_COST,
    },
    {
      name: 'substring',
      overloads: [method([STRING, INT], STRING), method([STRING, INT, INT], STRING)],
      call: (text: Value, from: Value, until?: Value) => {
        const characters = charactersOf('substring', text);
        const start = placeIn(characters, from);
        const end = until === undefined ? characters.length : placeIn(characters, until);
        if (start > end) throw new CelError(`invalid substring range. start: ${start}, end: ${end}`);
        return characters.slice(start, end).join('');
      },
      cost: TEXTS_COST,
    },
    {
      name: 'format',
      size: () => UNKNOWN_SIZE,
      overloads: [method([STRING, listOf(DYN)], STRING)],
      call: (text: Value, args: Value) => {
        if (!isList(args)) throw noOverload('format', text, args);
        return formatText(textIn('format', text), args);
      },
      cost: {
        of: ([text, args]) => textCost(text as Value) + printedSize(args as Value) / 10,
        worst: ([text, args]) => Math.ceil(maxOf(text) / 10) + maxOf(args) * (1 + Math.ceil(printedItemOf(args) / 10)),
      },
    },
    {
      name: 'strings.quote',
      // Each character may need an escape.
      size: ([text]) => ({ max: 6 * maxOf(text) + 2 }),
      overloads: [overload([STRING], STRING)],
      call: (text: Value) => quote(textIn('strings.quote', text)),
      cost: TEXTS_COST,
    },
  ],
};

function mapping(name: string, map: (text: string) => string): CelFunction {
  return {
    name,
    overloads: [method([STRING], STRING)],
    call: (text: Value) => map(textIn(name, text)),
    cost: TEXTS_COST,
  };
}

/** Places of a text in another one. */
function placesOf(part: Value | undefined, text: Value | undefined): number {
  if (typeof part !== 'string' || typeof text !== 'string') return 0;
  return part === '' ? text.length + 1 : text.split(part).length - 1;
}

/** About how many characters a value is printed as. */
function printedSize(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return 1 + value.length;
  const parts = isList(value) ? value : isMap(value) ? [...keysOfMap(value), ...valuesOfMap(value)] : [];
  return parts.reduce<number>((size, part) => size + printedSize(part), 1);
}

function printedItemOf(list: CallArgument | undefined): number {
  const item = list?.size.item ?? UNKNOWN_SIZE;
  return item.item === undefined && item.field === undefined ? item.max : UNKNOWN_SIZE.max;
}

function itemOf(list: CallArgument | undefined): number {
  return (list?.size.item ?? UNKNOWN_SIZE).max;
}

function textIn(name: string, value: Value): string {
  if (typeof value !== 'string') throw noOverload(name, value);
  return value;
}

function charactersOf(name: string, value: Value): readonly string[] {
  return Array.from(textIn(name, value));
}

/** A position from 0 up to the end. */
function placeIn(characters: readonly string[], at: Value): number {
  if (!isInt(at)) throw noOverload('position', at);
  if (at < 0 || at > characters.length) throw new CelError(`index out of range: ${at}`);
  return Number(at);
}

/** The first place from `start` on, or, backwards, the last one up to it; -1 for none. */
function find(within: readonly string[], wanted: readonly string[], start: number, step: 1 | -1): number {
  for (let at = start; at >= 0 && at + wanted.length <= within.length; at += step) {
    if (wanted.every((character, index) => within[at + index] === character)) return at;
  }
  return -1;
}

function replace(text: string, old: string, next: string, count: number): string {
  const parts = old === '' ? ['', ...Array.from(text), ''] : text.split(old);
  const replaced = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  return parts.slice(0, replaced).join(next) + (replaced === 0 ? '' : next) + parts.slice(replaced).join(old);
}

function split(text: string, separator: string, count: number): readonly string[] {
  if (count === 0) return [];
  const parts = separator === '' ? Array.from(text) : text.split(separator);
  if (count < 0 || parts.length <= count) return parts;
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

const QUOTED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the ones with an escape
  return `"${text.toWellFormed().replace(/[\u0007-\r"\\]/g, (character) => QUOTED[character] ?? character)}"`;
}
