import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

/** Loads a property of the packet's route. */
export interface RtExpression {
  readonly kind: 'rt';
  readonly key: 'classid' | 'nexthop4' | 'nexthop6' | 'tcpmss' | 'ipsec';
  readonly dreg: number;
}

export const rt: ExpressionCodec<RtExpression> = expression<RtExpression>('rt', [
  { type: 2, property: 'key', value: names(['classid', 'nexthop4', 'nexthop6', 'tcpmss', 'ipsec']), required: true },
  { type: 1, property: 'dreg', value: u32, required: true },
]);
