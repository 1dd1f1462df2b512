/** Marks for a terminal; each returns its text unchanged where colours are off. */
export interface Palette {
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

export type ColorChoice = 'auto' | 'always' | 'never';

const same = (text: string): string => text;
const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;

const PLAIN: Palette = { red: same, green: same, yellow: same, bold: same, dim: same };
const COLOUR: Palette = { red: sgr(31, 39), green: sgr(32, 39), yellow: sgr(33, 39), bold: sgr(1, 22), dim: sgr(2, 22) };

/** `--color` decides; `auto` colours a terminal unless NO_COLOR is set to anything or TERM is dumb. */
export function palette(choice: ColorChoice, terminal: boolean, env: { readonly [name: string]: string | undefined }): Palette {
  if (choice === 'never') return PLAIN;
  if (choice === 'always') return COLOUR;
  return terminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? COLOUR : PLAIN;
}
