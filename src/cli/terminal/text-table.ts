import { oneLine } from './io.ts';

const GAP = 3;

type Row = readonly string[];

/**
 * Rows of texts in columns as wide as their widest text, and at least as wide as is asked, three spaces apart; no space
 * at the end of a line.
 */
export function textTable(given: readonly Row[], atLeast: readonly number[] = []): string {
  const rows = given.map((row) => row.map(oneLine));
  const widths = columnWidths(rows, atLeast);
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd((widths[column] ?? 0) + GAP))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

/** How wide the widest text of each column is. */
export function columnWidths(rows: readonly Row[], atLeast: readonly number[] = []): readonly number[] {
  const widths = [...atLeast];
  for (const row of rows) {
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return widths;
}
