import { escapeControl } from './escape.ts';

/** Text in aligned columns with a heading; every cell is escaped. `align` marks columns of numbers with `r`. No rows give an empty text. */
export function renderTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  align = '',
  heading: (text: string) => string = (t) => t,
): string {
  if (rows.length === 0) return '';
  const cells = rows.map((row) => row.map(escapeControl));
  const widths = headings.map((h, i) => Math.max(h.length, ...cells.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (align[i] === 'r' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [heading(line(headings)), ...cells.map(line)].map((l) => `${l}\n`).join('');
}
