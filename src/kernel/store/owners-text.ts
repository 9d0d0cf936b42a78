import { internText } from '#kernel/base/intern.ts';
import { endOfValue, type Range } from './json-range.ts';

/**
 * The text of `managedFields`, of which most is the same in many objects: who owns which fields. Only the times differ, so the
 * text around them is kept once.
 */
export interface OwnersText {
  /** The text between the times, before the first one and behind the last. */
  readonly around: readonly string[];
  /** The times, each behind a separator. */
  readonly times: string;
}

/** Where it stands in the bytes of a text. */
export interface OwnersRange extends OwnersText, Range {}

/** The same text around other times, as bytes: texts are compared with it before anything is made of them. */
interface Pattern {
  readonly around: readonly string[];
  readonly bytes: readonly Buffer[];
}

/** By their length, the newest first. */
const known = new Map<number, Pattern[]>();
let knownBytes = 0;
/** Beyond it all are forgotten: those that are still in use come again. */
const KNOWN_BYTES_MAX = 16_000_000;
const OF_ONE_LENGTH_MAX = 8;

const FIELD = '"time":"';
/** Within strings quotes are escaped, so it is found nowhere else. Times of another length are no holes of a pattern. */
const TIME = /"time":"([\dTZ:.+-]{20})"/g;
const TIME_CHARS = '2026-01-01T00:00:00Z'.length;
/** A part of a string keeps the whole in memory; two that are joined do not, once they are hashed. */
const SEPARATOR = ' ';

/** The owners that begin there in the bytes of a JSON text. */
export function readOwners(json: Buffer, start: number): OwnersRange {
  // Nearly no text has another bracket in it. A pattern is a whole array, so what is equal to it is whole.
  const likelyEnd = json.indexOf(CLOSE_ARRAY, start) + 1;
  for (const pattern of known.get(likelyEnd - start) ?? []) {
    const times = timesIn(json, start, pattern);
    if (times !== undefined) return { around: pattern.around, times, start, end: likelyEnd };
  }
  const end = endOfValue(json, start);
  return { ...learnOwners(json.toString('utf8', start, end), end - start), start, end };
}

export function textOfOwners({ around, times }: OwnersText): string {
  let text = around[0] ?? '';
  for (let index = 1; index < around.length; index += 1) {
    const end = index * (SEPARATOR.length + TIME_CHARS);
    text += times.slice(end - TIME_CHARS, end) + (around[index] ?? '');
  }
  return text;
}

/** The times of a text that is the pattern apart from them. */
function timesIn(json: Buffer, start: number, { bytes }: Pattern): string | undefined {
  let times = '';
  let at = start;
  for (let index = 0; index < bytes.length; index += 1) {
    const piece = bytes[index] as Buffer;
    if (index > 0) {
      if (!isPlain(json, at, at + TIME_CHARS)) return undefined;
      times += SEPARATOR + json.toString('latin1', at, at + TIME_CHARS);
      at += TIME_CHARS;
    }
    if (piece.compare(json, at, at + piece.length) !== 0) return undefined;
    at += piece.length;
  }
  return internText(times);
}

/** Whether bytes are ASCII within a string. */
function isPlain(json: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = json[at] as number;
    if (byte > 0x7f || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

function learnOwners(text: string, length: number): OwnersText {
  const around: string[] = [];
  let times = '';
  let end = 0;
  for (const { index, 1: time = '' } of text.matchAll(TIME)) {
    const start = index + FIELD.length;
    around.push(text.slice(end, start));
    times += SEPARATOR + time;
    end = start + time.length;
  }
  around.push(text.slice(end));
  const bytes = around.map((piece) => Buffer.from(piece));
  if (knownBytes > KNOWN_BYTES_MAX) {
    known.clear();
    knownBytes = 0;
  }
  knownBytes += length;
  known.set(length, [{ around, bytes }, ...(known.get(length) ?? []).slice(0, OF_ONE_LENGTH_MAX - 1)]);
  return { around, times: internText(times) };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
