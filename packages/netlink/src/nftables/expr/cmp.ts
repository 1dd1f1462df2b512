import { type ExpressionCodec, expression, names, u32, value } from './codec.ts';

/** Goes on when the register compares so with `data` as big-endian numbers; ends the rule otherwise. */
export interface CmpExpression {
  readonly kind: 'cmp';
  readonly sreg: number;
  readonly op: 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';
  readonly data: Uint8Array;
}

export const cmp: ExpressionCodec<CmpExpression> = expression<CmpExpression>('cmp', [
  { type: 1, property: 'sreg', value: u32, required: true },
  { type: 2, property: 'op', value: names(['eq', 'neq', 'lt', 'lte', 'gt', 'gte']), required: true },
  { type: 3, property: 'data', value, required: true },
]);
