import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

/** Swaps `length` bytes between network and host order, `size` (2, 4 or 8) bytes at a time. */
export interface ByteorderExpression {
  readonly kind: 'byteorder';
  readonly sreg: number;
  readonly dreg: number;
  readonly op: 'ntoh' | 'hton';
  readonly length: number;
  readonly size: number;
}

export const byteorder: ExpressionCodec<ByteorderExpression> = expression<ByteorderExpression>('byteorder', [
  { type: 1, property: 'sreg', value: u32, required: true },
  { type: 2, property: 'dreg', value: u32, required: true },
  { type: 3, property: 'op', value: names(['ntoh', 'hton']), required: true },
  { type: 4, property: 'length', value: u32, required: true },
  { type: 5, property: 'size', value: u32, required: true },
]);
