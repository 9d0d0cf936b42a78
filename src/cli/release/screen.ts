import type { Output } from '../terminal/io.ts';

/** What a terminal takes to be drawn on without flicker, and to be left in order. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const LINE_END = '\u001b[K';
const BELOW = '\u001b[J';
/** Between these two a terminal shows nothing half done; one that does not know them leaves them out. */
const [BEGIN, END] = ['\u001b[?2026h', '\u001b[?2026l'];

/** Of a terminal that does not tell. */
const SIZE = { columns: 80, rows: 24 } as const;

export interface Screen {
  /** Shows these lines, and nothing else; those that do not fit below are left out. */
  readonly draw: (lines: readonly string[]) => void;
  /** Gives the terminal back as it was. May be called again. */
  readonly close: () => void;
}

export function widthOfScreen({ columns = SIZE.columns }: Output): number {
  return columns > 0 ? columns : SIZE.columns;
}

/** A screen of its own, beside what the terminal shows otherwise. */
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
