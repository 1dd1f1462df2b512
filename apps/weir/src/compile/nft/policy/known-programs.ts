import type { Expr } from '@weir/filter/ir';
import { contentName } from '../content-name.ts';

/** Expressions that are remembered: some hundred octets each. */
const MOST = 20_000;

/** Expressions that programs are known to be able to ask: what is checked again and again is compiled once. */
const known = new Set<string>();

export function isKnown(name: string): boolean {
  return known.has(name);
}

export function remember(name: string): void {
  if (known.size >= MOST) known.clear();
  known.add(name);
}

/** The same for expressions that say the same in the same way, wherever they stand. */
export function expressionName(expression: Expr): string {
  return contentName(
    JSON.stringify(expression, (key, value: unknown) => {
      if (key === 'span') return undefined;
      if (typeof value === 'bigint') return `${value}n`;
      return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
    }),
  );
}
