import type { Output } from '../terminal/io.ts';

/** Control sequences to draw without flicker and to restore the terminal. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const LINE_END = '\u001b[K';
const BELOW = '\u001b[J';
/** Synchronized output: a terminal draws the text between these at once; others ignore them. */
const [BEGIN, END] = ['\u001b[?2026h', '\u001b[?2026l'];

/** Size of a terminal that does not report one. */
const SIZE = { columns: 80, rows: 24 } as const;

export interface Screen {
  /** Shows these lines, and nothing else; lines below the screen are left out. */
  readonly draw: (lines: readonly string[]) => void;
  /** Restores the terminal. Idempotent. */
  readonly close: () => void;
}

export function widthOfScreen({ columns = SIZE.columns }: Output): number {
  return columns > 0 ? columns : SIZE.columns;
}

/** An alternate screen. */
export function openScreen(output: Output): Screen {
  let drawn = '';
  let isOpen = true;
  output.write(ENTER);
  return {
    draw: (lines) => {
      if (!isOpen) return;
      const { rows = SIZE.rows } = output;
      const text = lines
        .slice(0, rows > 0 ? rows : SIZE.rows)
        .map((line) => `${line}${LINE_END}`)
        .join('\r\n');
      const frame = `${widthOfScreen(output)}x${rows} ${text}`;
      if (frame === drawn) return;
      drawn = frame;
      output.write(`${BEGIN}${HOME}${text}${BELOW}${END}`);
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      output.write(LEAVE);
    },
  };
}
