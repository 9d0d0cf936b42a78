import type { Path, Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { atOnce, type Steps } from '#kernel/base/turns.ts';
import { tooDeep, valueDepthMax } from '#kernel/kinds/schema/depth.ts';
import { tooManyItems, tooManyMembers, tooManyValues, type DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import { malformedBody, refuseNumber, refuseProto } from './malformed-body.ts';

/** A document and where it says the same key twice; the last value of a key counts. */
export interface DecodedText {
  readonly value: unknown;
  /** At most `duplicatesMax`. */
  readonly duplicates: readonly Path[];
}

const duplicatesMax = 100;

const STEP = {
  /** Values that are read in one step: some 0.2 ms. */
  values: 256,
  /** Characters of text that count as one value. */
  charsPerValue: 512,
} as const;

const UNLIMITED: DocumentLimits = { valuesMax: Infinity, membersMax: Infinity, itemsMax: Infinity };

/**
 * Reads JSON in one go: a file, or what is known to be short. Throws as `readJson` does; with `rounded`, whole numbers that
 * JavaScript rounds are read so, and their places are added to it.
 */
export function parseJson(text: string, rounded?: Path[]): DecodedText {
  return atOnce(readJson(text, UNLIMITED, rounded));
}

/**
 * Reads JSON in steps. Throws a Refusal for what is not JSON (with line and column), is nested too deep, holds more than
 * the limits, or would be rounded. JSON.parse can neither pause nor stop at a limit, drops the first of two equal keys,
 * and takes as long together with what then has to be checked.
 */
export function* readJson(text: string, limits: DocumentLimits, rounded?: Path[]): Steps<DecodedText> {
  const reader = new JsonReader(text, limits, rounded);
  while (!reader.step()) yield;
  return { value: reader.value, duplicates: reader.duplicates };
}

/** A list or an object that is being read, and where in it. */
interface OpenContainer {
  readonly list: unknown[] | undefined;
  readonly object: Record<string, unknown> | undefined;
  /** Of the member that is read. */
  name: string;
  members: number;
}

const CHAR = {
  tab: 0x09,
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openList: 0x5b,
  backslash: 0x5c,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

/** V8 keeps the whole text for the sake of a part of it that is longer. */
const COPIED_CHARS_MAX = 12;

class JsonReader {
  value: unknown;
  readonly duplicates: Path[] = [];
  readonly #text: string;
  readonly #limits: DocumentLimits;
  readonly #rounded: Path[] | undefined;
  readonly #open: OpenContainer[] = [];
  #at = 0;
  #values = 0;
  /** Of this step. */
  #left = 0;

  constructor(text: string, limits: DocumentLimits, rounded: Path[] | undefined) {
    this.#text = text;
    this.#limits = limits;
    this.#rounded = rounded;
  }

  /** Reads some values; true at the end of the text. */
  step(): boolean {
    if (this.#values === 0 && this.#text.trim() === '') {
      throw resourceRefusal('empty-body', 'The body is empty.');
    }
    for (this.#left = STEP.values; this.#left > 0; this.#left -= 1) {
      if (!this.#readValue()) continue;
      if (!Number.isNaN(this.#nextChar())) throw this.#wrong('end of file expected');
      return true;
    }
    return false;
  }

  /** Reads a value, or the beginning of a list or object that is not empty; true when the whole is complete. */
  #readValue(): boolean {
    this.#values += 1;
    if (this.#values > this.#limits.valuesMax) throw tooManyValues(this.#limits.valuesMax);
    switch (this.#nextChar()) {
      case CHAR.quote:
        return this.#complete(this.#readText());
      case CHAR.openObject: {
        this.#at += 1;
        const object: Record<string, unknown> = {};
        const open = this.#enter({ list: undefined, object, name: '', members: 0 });
        if (this.#nextChar() === CHAR.closeObject) return this.#leave();
        this.#readName(open, object);
        return false;
      }
      case CHAR.openList: {
        this.#at += 1;
        this.#enter({ list: [], object: undefined, name: '', members: 0 });
        return this.#nextChar() === CHAR.closeList ? this.#leave() : false;
      }
      default:
        return this.#complete(this.#readPlain());
    }
  }

  /** Puts a value where it belongs, and goes on to where the next begins; true when there is none. */
  #complete(value: unknown): boolean {
    const open = this.#open.at(-1);
    if (open === undefined) {
      this.value = value;
      return true;
    }
    if (open.object !== undefined) open.object[open.name] = value;
    else if (open.list !== undefined) {
      if (open.list.length >= this.#limits.itemsMax)
        throw tooManyItems(this.#path().slice(0, -1), this.#limits.itemsMax);
      open.list.push(value);
    }
    const next = this.#nextChar();
    if (next === CHAR.comma) {
      this.#at += 1;
      if (open.object !== undefined) this.#readName(open, open.object);
      return false;
    }
    if (next === (open.object === undefined ? CHAR.closeList : CHAR.closeObject)) return this.#leave();
    throw this.#wrong(open.object === undefined ? 'comma or close bracket expected' : 'comma or close brace expected');
  }

  #enter(open: OpenContainer): OpenContainer {
    if (this.#open.length >= valueDepthMax) throw tooDeep();
    this.#open.push(open);
    return open;
  }

  #leave(): boolean {
    this.#at += 1;
    const open = this.#open.pop();
    return this.#complete(open?.object ?? open?.list);
  }

  #readName(open: OpenContainer, object: Record<string, unknown>): void {
    if (this.#nextChar() !== CHAR.quote) throw this.#wrong('property name expected');
    const name = this.#readText();
    if (this.#nextChar() !== CHAR.colon) throw this.#wrong('colon expected');
    this.#at += 1;
    open.name = name;
    open.members += 1;
    if (open.members > this.#limits.membersMax)
      throw tooManyMembers(this.#path().slice(0, -1), this.#limits.membersMax);
    if (name === '__proto__') throw refuseProto(this.#path());
    if (Object.hasOwn(object, name) && this.duplicates.length < duplicatesMax) this.duplicates.push(this.#path());
  }

  #readText(): string {
    const text = this.#text;
    const start = this.#at;
    for (let at = start + 1; at <= start + COPIED_CHARS_MAX + 1; at += 1) {
      const char = text.charCodeAt(at);
      if (char === CHAR.quote) {
        this.#at = at + 1;
        return text.slice(start + 1, at);
      }
      if (char === CHAR.backslash || !(char >= CHAR.space)) break;
    }
    const end = this.#endOfText(start);
    this.#at = end;
    this.#left -= (end - start) / STEP.charsPerValue;
    try {
      return JSON.parse(text.slice(start, end)) as string;
    } catch {
      this.#at = start;
      // eslint-disable-next-line no-control-regex
      const what = /[\u0000-\u001F]/.test(text.slice(start, end)) ? 'invalid character' : 'invalid escape character';
      throw this.#wrong(what);
    }
  }

  /** Behind the quotation mark that ends the text. */
  #endOfText(start: number): number {
    for (let at = start + 1; ; at += 1) {
      const char = this.#text.charCodeAt(at);
      if (char === CHAR.quote) return at + 1;
      if (char === CHAR.backslash) at += 1;
      else if (Number.isNaN(char)) throw this.#wrong('unexpected end of string');
    }
  }

  #readPlain(): unknown {
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    NUMBER.lastIndex = this.#at;
    const [written] = NUMBER.exec(this.#text) ?? [];
    if (written === undefined) throw this.#wrong('value expected');
    const number = Number(written);
    if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))) {
      if (this.#rounded === undefined || !Number.isFinite(number)) throw refuseNumber(this.#path(), String(number));
      this.#rounded.push(this.#path());
    }
    this.#at += written.length;
    return number;
  }

  /** The next character that is no space; NaN at the end. */
  #nextChar(): number {
    for (; ; this.#at += 1) {
      const char = this.#text.charCodeAt(this.#at);
      if (char === CHAR.space || char === CHAR.lineFeed || char === CHAR.tab || char === CHAR.carriageReturn) continue;
      return char;
    }
  }

  #path(): (string | number)[] {
    return this.#open.map(({ list, name }) => list?.length ?? name);
  }

  #wrong(what: string): Refusal {
    const before = this.#text.slice(0, this.#at);
    const lineStart = before.lastIndexOf('\n') + 1;
    return malformedBody('JSON', what, before.split('\n').length, this.#at - lineStart + 1);
  }
}
