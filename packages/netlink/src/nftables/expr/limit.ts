import { type ExpressionCodec, expression, flag, names, u32, u64 } from './codec.ts';

/** Goes on for at most `rate` packets or bytes in `unit` seconds (1, 60, 3600, 86400, 604800), after a first `burst`; `over` goes on for the rest instead. */
export interface LimitExpression {
  readonly kind: 'limit';
  readonly rate: bigint;
  /** Seconds. */
  readonly unit: bigint;
  readonly burst?: number;
  readonly of: 'packets' | 'bytes';
  readonly over?: boolean;
}

const codec = expression<LimitExpression>('limit', [
  { type: 1, property: 'rate', value: u64, required: true },
  { type: 2, property: 'unit', value: u64, required: true },
  { type: 3, property: 'burst', value: u32 },
  { type: 4, property: 'of', value: names(['packets', 'bytes']) },
  { type: 5, property: 'over', value: flag(1), standard: false },
]);

/** Without a type it counts packets. */
export const limit: ExpressionCodec<LimitExpression> = {
  kind: 'limit',
  decode(r) {
    const decoded = codec.decode(r);
    return decoded && { ...decoded, of: decoded.of ?? 'packets' };
  },
  encode: codec.encode,
};
