import type { Data } from '../data.ts';
import { data, type ExpressionCodec, expression, u32 } from './codec.ts';

/** Puts data into `dreg`. Register 0 takes a verdict: that is what ends a rule. */
export interface ImmediateExpression {
  readonly kind: 'immediate';
  readonly dreg: number;
  readonly data: Data;
}

export const immediate: ExpressionCodec<ImmediateExpression> = expression<ImmediateExpression>('immediate', [
  { type: 1, property: 'dreg', value: u32, required: true },
  { type: 2, property: 'data', value: data, required: true },
]);
