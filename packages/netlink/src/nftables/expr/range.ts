import { type ExpressionCodec, expression, names, u32, value } from './codec.ts';

/** Goes on when the register lies (or does not lie) between two values, both inclusive. */
export interface RangeExpression {
  readonly kind: 'range';
  readonly sreg: number;
  readonly op: 'eq' | 'neq';
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export const range: ExpressionCodec<RangeExpression> = expression<RangeExpression>('range', [
  { type: 1, property: 'sreg', value: u32, required: true },
  { type: 2, property: 'op', value: names(['eq', 'neq']), required: true },
  { type: 3, property: 'from', value, required: true },
  { type: 4, property: 'to', value, required: true },
]);
