import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

/** Loads a number from `offset` up, below `offset + modulus`: the next one, or a random one. */
export interface NumgenExpression {
  readonly kind: 'numgen';
  readonly dreg: number;
  readonly modulus: number;
  readonly of: 'incremental' | 'random';
  readonly offset?: number;
}

export const numgen: ExpressionCodec<NumgenExpression> = expression<NumgenExpression>('numgen', [
  { type: 1, property: 'dreg', value: u32, required: true },
  { type: 2, property: 'modulus', value: u32, required: true },
  { type: 3, property: 'of', value: names(['incremental', 'random']), required: true },
  { type: 4, property: 'offset', value: u32, standard: 0 },
]);
