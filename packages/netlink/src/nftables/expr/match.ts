import { bytes, type ExpressionCodec, expression, text, u32 } from './codec.ts';

/** A match of iptables (`bpf`, for one); `info` is its own structure. */
export interface MatchExpression {
  readonly kind: 'match';
  readonly name: string;
  readonly revision: number;
  readonly info: Uint8Array;
}

export const match: ExpressionCodec<MatchExpression> = expression<MatchExpression>('match', [
  { type: 1, property: 'name', value: text, required: true },
  { type: 2, property: 'revision', value: u32, required: true },
  { type: 3, property: 'info', value: bytes, required: true },
]);
