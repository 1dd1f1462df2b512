import { type ExpressionCodec, expression, flag, names, u8, u32 } from './codec.ts';

/** Loads from an IPv6 extension header, or a TCP, IPv4, SCTP or DCCP option, of a type; or sets it from `sreg`; `present` asks only whether it is there. */
export interface ExthdrExpression {
  readonly kind: 'exthdr';
  readonly of: 'ipv6' | 'tcp-option' | 'ipv4-option' | 'sctp-chunk' | 'dccp-option';
  readonly type: number;
  readonly offset: number;
  readonly length: number;
  readonly dreg?: number;
  readonly sreg?: number;
  readonly present?: boolean;
}

const codec = expression<ExthdrExpression>('exthdr', [
  { type: 1, property: 'dreg', value: u32 },
  { type: 2, property: 'type', value: u8, required: true },
  { type: 3, property: 'offset', value: u32 },
  { type: 4, property: 'length', value: u32 },
  { type: 5, property: 'present', value: flag(1), standard: false },
  { type: 6, property: 'of', value: names(['ipv6', 'tcp-option', 'ipv4-option', 'sctp-chunk', 'dccp-option']) },
  { type: 7, property: 'sreg', value: u32 },
]);

/** Without an operation it reads IPv6 headers. */
export const exthdr: ExpressionCodec<ExthdrExpression> = {
  kind: 'exthdr',
  decode(r) {
    const decoded = codec.decode(r);
    return decoded && { ...decoded, of: decoded.of ?? 'ipv6', offset: decoded.offset ?? 0, length: decoded.length ?? 0 };
  },
  encode: codec.encode,
};
