import type { Writable } from 'node:stream';

const LIMITS = {
  /** Bytes of one write: more than a socket takes at a time, and few to hold for a slow reader. */
  pieceChars: 64 * 1024,
  /** How long making pieces may hold up everybody else. */
  sliceMs: 5,
  /** A reader that takes nothing for so long, while something waits for it, is cut off. */
  stalledMs: 60_000,
} as const;

export interface PacedAnswer {
  /** Goes on after a source that had nothing more for now may have something. */
  readonly wake: () => void;
}

/**
 * Writes an answer as fast as its reader takes it. Pieces are made when there is room for them, so a reader that takes
 * nothing costs one piece of memory. `next` gives undefined when there is nothing more for now, and null at the end.
 * It may throw: `onFailure` then ends the answer.
 */
export function paceAnswer(
  response: Writable,
  options: {
    readonly next: () => string | undefined | null;
    readonly onFailure: (error: unknown) => void;
    /** The reader took nothing for a minute and is cut off. */
    readonly onStall?: () => void;
    /** Instead of a minute. */
    readonly stalledMs?: number;
    /** Notes how many characters were written. */
    readonly wrote?: (chars: number) => void;
  },
): PacedAnswer {
  let stall: NodeJS.Timeout | undefined;
  let isRunning = false;
  const run = (): void => {
    if (isRunning || response.destroyed || response.writableEnded) return;
    // Something new to say does not give a reader that takes nothing another minute.
    if (stall !== undefined && response.writableNeedDrain) return;
    clearTimeout(stall);
    stall = undefined;
    isRunning = true;
    try {
      const startedMs = performance.now();
      while (!response.writableNeedDrain) {
        if (performance.now() - startedMs > LIMITS.sliceMs) return void setImmediate(run);
        if (writePiece() === 'nothing') return;
      }
      // Its end comes with `drain`, or not at all.
      stall = setTimeout(() => {
        options.onStall?.();
        response.destroy();
      }, options.stalledMs ?? LIMITS.stalledMs);
    } catch (error) {
      options.onFailure(error);
    } finally {
      isRunning = false;
    }
  };
  response.on('drain', run);
  response.once('close', () => clearTimeout(stall));
  run();
  return { wake: run };

  function writePiece(): 'something' | 'nothing' {
    let piece = '';
    let text: string | undefined | null;
    while (piece.length < LIMITS.pieceChars) {
      text = options.next();
      if (text === undefined || text === null) break;
      piece += text;
    }
    if (piece !== '') {
      options.wrote?.(piece.length);
      response.write(piece);
    }
    if (text === null) response.end();
    return text === undefined || text === null ? 'nothing' : 'something';
  }
}

/** A text in pieces that are written one after the other. No character is cut in two. */
export function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + LIMITS.pieceChars, text.length);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end -= 1;
    yield text.slice(at, end);
    at = end;
  }
}
