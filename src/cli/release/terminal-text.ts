import { stripVTControlCharacters } from 'node:util';

export type Paint = (text: string) => string;

/** Text with its colour. Text is cut before it is painted. */
export type Piece = string | readonly [paint: Paint, text: string];

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });
const ZERO_WIDTH = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u;
/** East Asian Wide and Fullwidth, by their blocks; and emoji by default. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})/u;

/** Columns of a text in a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) || grapheme.includes('\ufe0f') ? 2 : 1;
}

/**
 * Removes sequences that would move the cursor, colour the screen, or change the direction of text: names and reasons come from
 * anybody.
 */
export function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/\p{Control}+/gu, ' ')
    .replaceAll(/\p{Bidi_Control}/gu, '');
}

/** Cuts a text to a width, with an ellipsis; never half a character. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const { segment } of GRAPHEMES.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    kept += segment;
  }
  return width < 1 ? '' : `${kept}…`;
}

/** Pads a text to a width; cuts longer ones. */
export function pad(text: string, width: number): string {
  const shown = cut(text, width);
  return shown + ' '.repeat(Math.max(0, width - widthOf(shown)));
}

/** Joins pieces to one line, at most as wide as the screen. */
export function line(pieces: readonly Piece[], width: number): string {
  let left = width;
  let painted = '';
  for (const piece of pieces) {
    const [paint, raw] = typeof piece === 'string' ? [undefined, piece] : piece;
    const text = plain(raw);
    const shown = cut(text, left);
    if (shown === '') continue;
    painted += paint === undefined ? shown : paint(shown);
    left -= widthOf(shown);
    if (shown !== text) break;
  }
  return painted.trimEnd();
}

/** Wraps a text between words where possible; cuts the last line when there would be more. */
export function wrapText(text: string, width: number, linesMax: number): string[] {
  const lines: string[] = [];
  let current = '';
  const words = plain(text).split(/\s+/u).filter(Boolean);
  for (const [index, word] of words.entries()) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (widthOf(longer) <= width || current === '') {
      current = longer;
      continue;
    }
    if (lines.length === linesMax - 1) {
      current = [current, ...words.slice(index)].join(' ');
      break;
    }
    lines.push(cut(current, width));
    current = word;
  }
  return current === '' ? lines : [...lines, cut(current, width)];
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar with this many columns; every share above 0 is visible. */
export function bar(share: number, width: number): { readonly full: string; readonly rest: string } {
  const bounded = Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
  const eighths = bounded === 0 ? 0 : Math.max(1, Math.floor(bounded * width * 8));
  const full = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
  return { full, rest: '░'.repeat(Math.max(0, width - full.length)) };
}

/** A duration as a countdown: `4:05`, `1:04:05`, `3d 4h`. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600), Math.floor(seconds / 60)];
  if (days >= 2) return `${days}d ${hours % 24}h`;
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
