import { type ExpressionCodec, expression, u32, u64 } from './codec.ts';

/** Goes on until `bytes` have passed. Flags: 1 goes on for the rest instead, 2 it is used up. */
export interface QuotaExpression {
  readonly kind: 'quota';
  readonly bytes: bigint;
  readonly consumed?: bigint;
  readonly flags?: number;
}

export const quota: ExpressionCodec<QuotaExpression> = expression<QuotaExpression>('quota', [
  { type: 1, property: 'bytes', value: u64, required: true },
  { type: 4, property: 'consumed', value: u64, standard: 0n },
  { type: 2, property: 'flags', value: u32, standard: 0 },
]);
