import { type ExpressionCodec, expression, u32 } from './codec.ts';

/** Rewrites the destination to this machine. */
export interface RedirExpression {
  readonly kind: 'redir';
  readonly portMin?: number;
  readonly portMax?: number;
  readonly flags?: number;
}

export const redir: ExpressionCodec<RedirExpression> = expression<RedirExpression>('redir', [
  { type: 1, property: 'portMin', value: u32 },
  { type: 2, property: 'portMax', value: u32 },
  { type: 3, property: 'flags', value: u32, standard: 0 },
]);
