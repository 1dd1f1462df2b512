import { type ExpressionCodec, expression, names, u8 } from './codec.ts';

/** Drops and answers: an ICMP error of the packet's family with `code`, a TCP reset, or (`icmpx`) a code that fits both families: 0 no route, 1 port, 2 host, 3 prohibited. */
export interface RejectExpression {
  readonly kind: 'reject';
  readonly with: 'icmp' | 'tcp-reset' | 'icmpx';
  readonly code?: number;
}

export const reject: ExpressionCodec<RejectExpression> = expression<RejectExpression>('reject', [
  { type: 1, property: 'with', value: names(['icmp', 'tcp-reset', 'icmpx']), required: true },
  { type: 2, property: 'code', value: u8 },
]);
