import { type ExpressionCodec, expression } from './codec.ts';

/** Keeps the packet out of connection tracking. */
export interface NotrackExpression {
  readonly kind: 'notrack';
}

export const notrack: ExpressionCodec<NotrackExpression> = expression<NotrackExpression>('notrack', []);
