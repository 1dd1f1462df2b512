import { type ExpressionCodec, expression, text, u32 } from './codec.ts';

/** Runs a named object (`counter name "x"`), or the one that a map gives for a register. Types: 1 counter, 2 quota, 4 limit, 5 connlimit. */
export interface ObjrefExpression {
  readonly kind: 'objref';
  readonly type?: number;
  readonly name?: string;
  readonly sreg?: number;
  readonly set?: string;
  readonly setId?: number;
}

export const objref: ExpressionCodec<ObjrefExpression> = expression<ObjrefExpression>('objref', [
  { type: 1, property: 'type', value: u32 },
  { type: 2, property: 'name', value: text },
  { type: 3, property: 'sreg', value: u32 },
  { type: 4, property: 'set', value: text },
  { type: 5, property: 'setId', value: u32 },
]);
