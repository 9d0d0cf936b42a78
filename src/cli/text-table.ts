import { oneLine } from './io.ts';

const gap = 3;

/** Rows of texts in columns as wide as their widest text, three spaces apart; no space at the end of a line. */
export function textTable(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(oneLine));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd((widths[column] ?? 0) + gap))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
