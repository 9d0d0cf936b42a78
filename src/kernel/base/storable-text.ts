import type { Path } from './failures.ts';

/** The JSON escapes of such texts. Most documents have none and need no search. */
const SUSPICIOUS = /\\u(?:0000|d[89a-f])/i;

/** Whether a text can be kept as it is: PostgreSQL has no U+0000, and UTF-8 no lone surrogates. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** A place in a document, as the way back to its root: making each path whole would cost the square of the depth. */
interface Place {
  readonly value: unknown;
  readonly key: string | number;
  readonly around: Place | undefined;
}

/** Where a value that was read from JSON holds a text, or the name of a field, that cannot be kept. */
export function unstorableIn(value: unknown, json: string): Path | undefined {
  if (!SUSPICIOUS.test(json)) return undefined;
  // A list of what is left, not a recursion: a document may be deeper than the stack.
  const left: Place[] = [{ value, key: '', around: undefined }];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const { value: at } = place;
    if (typeof at === 'string' && !isStorable(at)) return pathOf(place);
    if (typeof at !== 'object' || at === null) continue;
    for (const [key, inner] of Object.entries(at)) {
      if (!isStorable(key)) return pathOf(place);
      left.push({ value: inner, key: Array.isArray(at) ? Number(key) : key, around: place });
    }
  }
  return undefined;
}

function pathOf(place: Place): Path {
  const path: (string | number)[] = [];
  for (let at = place; at.around !== undefined; at = at.around) path.push(at.key);
  return path.reverse();
}
