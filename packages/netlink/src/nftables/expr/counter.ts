import { type ExpressionCodec, expression, u64 } from './codec.ts';

/** Counts what passes it. */
export interface CounterExpression {
  readonly kind: 'counter';
  readonly bytes: bigint;
  readonly packets: bigint;
}

const codec = expression<CounterExpression>('counter', [
  { type: 1, property: 'bytes', value: u64 },
  { type: 2, property: 'packets', value: u64 },
]);

/** A counter without values stands at zero. */
export const counter: ExpressionCodec<CounterExpression> = {
  kind: 'counter',
  decode(r) {
    const decoded = codec.decode(r);
    return decoded && { kind: 'counter', bytes: decoded.bytes ?? 0n, packets: decoded.packets ?? 0n };
  },
  encode: codec.encode,
};
