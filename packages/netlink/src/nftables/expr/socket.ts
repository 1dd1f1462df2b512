import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

/** Loads a property of the local socket that the packet belongs to. `level` is of the control group's ancestors. */
export interface SocketExpression {
  readonly kind: 'socket';
  readonly key: 'transparent' | 'mark' | 'wildcard' | 'cgroupv2';
  readonly dreg: number;
  readonly level?: number;
}

export const socket: ExpressionCodec<SocketExpression> = expression<SocketExpression>('socket', [
  { type: 1, property: 'key', value: names(['transparent', 'mark', 'wildcard', 'cgroupv2']), required: true },
  { type: 2, property: 'dreg', value: u32, required: true },
  { type: 3, property: 'level', value: u32 },
]);
