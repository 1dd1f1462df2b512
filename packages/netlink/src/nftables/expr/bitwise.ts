import { type ExpressionCodec, expression, names, u32, value } from './codec.ts';

/**
 * `mask-xor`: dreg = (sreg & mask) ^ xor. Shifts: by `data`, a u32 in host order. `and`, `or`, `xor`: sreg with sreg2, or with `data` (Linux 6.13).
 */
export interface BitwiseExpression {
  readonly kind: 'bitwise';
  readonly op: 'mask-xor' | 'lshift' | 'rshift' | 'and' | 'or' | 'xor';
  readonly sreg: number;
  readonly dreg: number;
  /** Bytes. */
  readonly length: number;
  readonly mask?: Uint8Array;
  readonly xor?: Uint8Array;
  readonly data?: Uint8Array;
  readonly sreg2?: number;
}

const codec = expression<BitwiseExpression>('bitwise', [
  { type: 1, property: 'sreg', value: u32, required: true },
  { type: 2, property: 'dreg', value: u32, required: true },
  { type: 3, property: 'length', value: u32, required: true },
  { type: 6, property: 'op', value: names(['mask-xor', 'lshift', 'rshift', 'and', 'or', 'xor']) },
  { type: 4, property: 'mask', value },
  { type: 5, property: 'xor', value },
  { type: 7, property: 'data', value },
  { type: 8, property: 'sreg2', value: u32 },
]);

/** Without an operation it is `mask-xor`: the only one before Linux 5.6. */
export const bitwise: ExpressionCodec<BitwiseExpression> = {
  kind: 'bitwise',
  decode(r) {
    const decoded = codec.decode(r);
    return decoded && { ...decoded, op: decoded.op ?? 'mask-xor' };
  },
  encode: codec.encode,
};
