import { type ExpressionCodec, expression, flag, names, u32 } from './codec.ts';

/**
 * Loads `length` bytes at `offset` from a header into `dreg`, or writes `sreg` there. A write names the checksum to correct: its type, its offset in the same header,
 * and whether the transport checksum covers the bytes through the pseudo-header.
 */
export interface PayloadExpression {
  readonly kind: 'payload';
  readonly base: 'link' | 'network' | 'transport' | 'inner' | 'tunnel';
  readonly offset: number;
  readonly length: number;
  readonly dreg?: number;
  readonly sreg?: number;
  readonly checksum?: 'none' | 'inet' | 'sctp';
  readonly checksumOffset?: number;
  readonly pseudoHeader?: boolean;
}

export const payload: ExpressionCodec<PayloadExpression> = expression<PayloadExpression>('payload', [
  { type: 5, property: 'sreg', value: u32 },
  { type: 1, property: 'dreg', value: u32 },
  { type: 2, property: 'base', value: names(['link', 'network', 'transport', 'inner', 'tunnel']), required: true },
  { type: 3, property: 'offset', value: u32, required: true },
  { type: 4, property: 'length', value: u32, required: true },
  { type: 6, property: 'checksum', value: names(['none', 'inet', 'sctp']) },
  { type: 7, property: 'checksumOffset', value: u32 },
  { type: 8, property: 'pseudoHeader', value: flag(1), standard: false },
]);
