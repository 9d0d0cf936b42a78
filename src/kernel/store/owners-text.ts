import { InternTable, internText } from '#kernel/base/intern.ts';

/**
 * The text of `managedFields`, of which most is the same in many objects: who owns which fields. Only the times differ, so the
 * text around them is kept once.
 */
export interface OwnersText {
  /** The text between the times, before the first one and behind the last. */
  readonly around: readonly string[];
  /** The times, one behind the other. */
  readonly times: string;
}

const TIME = /"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"/g;
const TIME_CHARS = '2026-01-01T00:00:00Z'.length;
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
  const times = Array.from(text.matchAll(TIME), ([, time = '']) => time).join('');
  // A part of a string would keep the whole.
  const copied = Buffer.from(times, 'latin1').toString('latin1');
  return { around: known.get(text.replaceAll(TIME, HOLE)), times: internText(copied) };
}

export function textOfOwners({ around, times }: OwnersText): string {
  let text = around[0] ?? '';
  for (let index = 1; index < around.length; index += 1) {
    text += times.slice((index - 1) * TIME_CHARS, index * TIME_CHARS) + (around[index] ?? '');
  }
  return text;
}
