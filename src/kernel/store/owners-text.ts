import { InternTable, internText } from '#kernel/base/intern.ts';

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

const FIELD = '"time":"';
const TIME_CHARS = '2026-01-01T00:00:00Z'.length;
/** A part of a string keeps the whole in memory; two that are joined do not, once they are hashed. */
const SEPARATOR = ' ';
/** In the place of a time. Within strings quotes are escaped, so it is nowhere else. */
const HOLE = '"time":""';

const known = new InternTable((text): readonly string[] => {
  const pieces = text.split(HOLE);
  return pieces.map((piece, index) => {
    const head = index === 0 ? '' : '"';
    return index === pieces.length - 1 ? head + piece : `${head}${piece}"time":"`;
  });
});

export function shareOwners(text: string): OwnersText {
  // An empty time is in no text that the program writes.
  if (text.includes(HOLE)) return { around: [text], times: '' };
  let around = '';
  let times = '';
  let end = 0;
  for (let at = text.indexOf(FIELD); at >= 0; at = text.indexOf(FIELD, at + FIELD.length)) {
    const start = at + FIELD.length;
    // Times of another length stay where they are.
    if (text.indexOf('"', start) !== start + TIME_CHARS) continue;
    around += text.slice(end, start);
    end = start + TIME_CHARS;
    times += SEPARATOR + text.slice(start, end);
  }
  around += text.slice(end);
  return { around: known.get(around), times: internText(times) };
}

export function textOfOwners({ around, times }: OwnersText): string {
  let text = around[0] ?? '';
  for (let index = 1; index < around.length; index += 1) {
    const end = index * (SEPARATOR.length + TIME_CHARS);
    text += times.slice(end - TIME_CHARS, end) + (around[index] ?? '');
  }
  return text;
}
