import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

/** Rewrites the source or destination of a connection; addresses and ports come from registers. */
export interface NatExpression {
  readonly kind: 'nat';
  readonly of: 'snat' | 'dnat';
  /** NFPROTO_*: 2 IPv4, 10 IPv6. */
  readonly family: number;
  readonly addressMin?: number;
  readonly addressMax?: number;
  readonly portMin?: number;
  readonly portMax?: number;
  /** NF_NAT_RANGE_* bits. */
  readonly flags?: number;
}

export const nat: ExpressionCodec<NatExpression> = expression<NatExpression>('nat', [
  { type: 1, property: 'of', value: names(['snat', 'dnat']), required: true },
  { type: 2, property: 'family', value: u32, required: true },
  { type: 3, property: 'addressMin', value: u32 },
  { type: 4, property: 'addressMax', value: u32 },
  { type: 5, property: 'portMin', value: u32 },
  { type: 6, property: 'portMax', value: u32 },
  { type: 7, property: 'flags', value: u32, standard: 0 },
]);
