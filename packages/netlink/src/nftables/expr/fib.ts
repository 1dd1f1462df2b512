import { type ExpressionCodec, expression, type names, u32 } from './codec.ts';

/** Asks the routing table; `flags` say with what: see FIB. */
export interface FibExpression {
  readonly kind: 'fib';
  readonly dreg: number;
  readonly result: 'oif' | 'oifname' | 'type';
  readonly flags: number;
}

/** Inputs of a look-up; `present` asks only whether there is an answer. */
export const FIB = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16, present: 32 } as const;

export const fib: ExpressionCodec<FibExpression> = expression<FibExpression>('fib', [
  { type: 1, property: 'dreg', value: u32, required: true },
  { type: 2, property: 'result', value: fromOne(['oif', 'oifname', 'type']), required: true },
  { type: 3, property: 'flags', value: u32, required: true },
]);

function fromOne(list: readonly ['oif', 'oifname', 'type']): ReturnType<typeof names<'oif' | 'oifname' | 'type'>> {
  return {
    decode: (r) => {
      const number = u32.decode(r);
      return number === undefined || number === 0 ? undefined : list[number - 1];
    },
    encode: (w, type, name) => u32.encode(w, type, list.indexOf(name) + 1),
  };
}
