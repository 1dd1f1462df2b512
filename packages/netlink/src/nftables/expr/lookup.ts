import { type ExpressionCodec, expression, flag, text, u32 } from './codec.ts';

/** Looks the key in `sreg` up in a set, or in a map whose value goes to `dreg` (register 0: a verdict). `setId` names a set of the same transaction. */
export interface LookupExpression {
  readonly kind: 'lookup';
  readonly set: string;
  readonly sreg: number;
  readonly dreg?: number;
  readonly setId?: number;
  /** Goes on when the key is not there. */
  readonly invert?: boolean;
}

export const lookup: ExpressionCodec<LookupExpression> = expression<LookupExpression>('lookup', [
  { type: 1, property: 'set', value: text, required: true },
  { type: 2, property: 'sreg', value: u32, required: true },
  { type: 3, property: 'dreg', value: u32 },
  { type: 4, property: 'setId', value: u32 },
  { type: 5, property: 'invert', value: flag(1), standard: false },
]);
