import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest } from '../../message/index.ts';
import { type ExpressionCodec, expression, names, text, u32, u64, type ValueCodec } from './codec.ts';

/** Adds the key in `sregKey` to a set from the packet path, with expressions (a limit for each source) that run at once. */
export interface DynsetExpression<Nested = unknown> {
  readonly kind: 'dynset';
  readonly set: string;
  readonly setId?: number;
  readonly op: 'add' | 'update' | 'delete';
  readonly sregKey: number;
  readonly sregData?: number;
  /** Milliseconds. */
  readonly timeout?: bigint;
  readonly invert?: boolean;
  readonly expressions?: readonly Nested[];
}

/** How the expressions inside are read and written. */
export interface NestedCodec<Nested> {
  decode(r: Reader): Nested;
  encode(w: Writer, expression: Nested): void;
}

/** A list of expressions is one attribute when there is one (NFTA_DYNSET_EXPR), and a list of them when there are more. */
export function dynset<Nested>(nested: NestedCodec<Nested>): ExpressionCodec<DynsetExpression<Nested>> {
  const list: ValueCodec<readonly Nested[]> = {
    decode(r) {
      const out: Nested[] = [];
      eachAttribute(r, (_type, item) => out.push(nested.decode(item)));
      return out;
    },
    encode(w, type, expressions) {
      const nest = openNest(w, type);
      for (const inner of expressions) {
        const item = openNest(w, 1);
        nested.encode(w, inner);
        closeAttribute(w, item);
      }
      closeAttribute(w, nest);
    },
  };
  interface Wire extends DynsetExpression<Nested> {
    readonly single?: readonly Nested[];
    readonly flags?: number;
  }
  const single: ValueCodec<readonly Nested[]> = {
    decode: (r) => [nested.decode(r)],
    encode(w, type, expressions) {
      const [only] = expressions;
      if (only === undefined) return;
      const nest = openNest(w, type);
      nested.encode(w, only);
      closeAttribute(w, nest);
    },
  };
  const INVERT = 1;
  const MANY = 2;
  const codec = expression<Wire>('dynset', [
    { type: 1, property: 'set', value: text, required: true },
    { type: 2, property: 'setId', value: u32 },
    { type: 3, property: 'op', value: names(['add', 'update', 'delete']), required: true },
    { type: 4, property: 'sregKey', value: u32, required: true },
    { type: 5, property: 'sregData', value: u32 },
    { type: 6, property: 'timeout', value: u64, standard: 0n },
    { type: 9, property: 'flags', value: u32 },
    { type: 7, property: 'single', value: single },
    { type: 10, property: 'expressions', value: list },
  ]);
  return {
    kind: 'dynset',
    decode(r) {
      const decoded = codec.decode(r);
      if (!decoded) return undefined;
      const { single: one, flags = 0, ...rest } = decoded;
      if (flags & ~(INVERT | MANY)) return undefined;
      const expressions = rest.expressions ?? one;
      return { ...rest, ...(flags & INVERT ? { invert: true } : {}), ...(expressions ? { expressions } : {}) };
    },
    encode(w, value) {
      const { expressions = [], invert, ...rest } = value;
      const flags = (invert ? INVERT : 0) | (expressions.length > 1 ? MANY : 0);
      codec.encode(w, {
        ...rest,
        ...(flags === 0 ? {} : { flags }),
        ...(expressions.length === 1 ? { single: expressions } : expressions.length > 1 ? { expressions } : {}),
      });
    },
  };
}
