import { type ExpressionCodec, expression, u16, u32 } from './codec.ts';

/** Hands the packet to a program that listens on nfnetlink_queue. Flags: 1 accept when there is none, 2 choose by processor. */
export interface QueueExpression {
  readonly kind: 'queue';
  readonly number?: number;
  readonly total?: number;
  readonly flags?: number;
  readonly sreg?: number;
}

export const queue: ExpressionCodec<QueueExpression> = expression<QueueExpression>('queue', [
  { type: 1, property: 'number', value: u16 },
  { type: 2, property: 'total', value: u16 },
  { type: 3, property: 'flags', value: u16, standard: 0 },
  { type: 4, property: 'sreg', value: u32 },
]);
