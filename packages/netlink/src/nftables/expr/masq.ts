import { type ExpressionCodec, expression, u32 } from './codec.ts';

/** Rewrites the source to the address of the interface that the packet leaves by. */
export interface MasqExpression {
  readonly kind: 'masq';
  readonly flags?: number;
  readonly portMin?: number;
  readonly portMax?: number;
}

export const masq: ExpressionCodec<MasqExpression> = expression<MasqExpression>('masq', [
  { type: 1, property: 'flags', value: u32, standard: 0 },
  { type: 2, property: 'portMin', value: u32 },
  { type: 3, property: 'portMax', value: u32 },
]);
