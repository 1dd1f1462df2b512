import { type ExpressionCodec, expression, flag, u32 } from './codec.ts';

/** Goes on while at most `count` connections have the element's key; `over` for more instead. */
export interface ConnlimitExpression {
  readonly kind: 'connlimit';
  readonly count: number;
  readonly over?: boolean;
}

export const connlimit: ExpressionCodec<ConnlimitExpression> = expression<ConnlimitExpression>('connlimit', [
  { type: 1, property: 'count', value: u32, required: true },
  { type: 2, property: 'over', value: flag(1), standard: false },
]);
