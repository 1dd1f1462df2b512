import { type ExpressionCodec, expression, names, u8, u32 } from './codec.ts';

const KEYS = [
  'state',
  'direction',
  'status',
  'mark',
  'secmark',
  'expiration',
  'helper',
  'l3protocol',
  'src',
  'dst',
  'protocol',
  'proto-src',
  'proto-dst',
  'labels',
  'packets',
  'bytes',
  'avgpkt',
  'zone',
  'eventmask',
  'src-ip',
  'dst-ip',
  'src-ip6',
  'dst-ip6',
  'id',
] as const;

export type CtKey = (typeof KEYS)[number];

/** Loads a property of the packet's connection into `dreg`, or sets it from `sreg`. State, status and marks are u32 in host order. */
export interface CtExpression {
  readonly kind: 'ct';
  readonly key: CtKey;
  readonly dreg?: number;
  readonly sreg?: number;
  readonly direction?: 'original' | 'reply';
}

/** Bits of `ct state`. */
export const CT_STATE = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;

export const ct: ExpressionCodec<CtExpression> = expression<CtExpression>('ct', [
  { type: 2, property: 'key', value: names(KEYS), required: true },
  { type: 1, property: 'dreg', value: u32 },
  { type: 3, property: 'direction', value: names(['original', 'reply'], u8) },
  { type: 4, property: 'sreg', value: u32 },
]);
