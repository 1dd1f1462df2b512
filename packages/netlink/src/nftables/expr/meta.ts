import { type ExpressionCodec, expression, names, u32 } from './codec.ts';

const KEYS = [
  'len',
  'protocol',
  'priority',
  'mark',
  'iif',
  'oif',
  'iifname',
  'oifname',
  'iiftype',
  'oiftype',
  'skuid',
  'skgid',
  'nftrace',
  'rtclassid',
  'secmark',
  'nfproto',
  'l4proto',
  'ibrname',
  'obrname',
  'pkttype',
  'cpu',
  'iifgroup',
  'oifgroup',
  'cgroup',
  'prandom',
  'secpath',
  'iifkind',
  'oifkind',
  'ibrpvid',
  'ibrvproto',
  'time',
  'day',
  'hour',
  'sdif',
  'sdifname',
  'broute',
] as const;

export type MetaKey = (typeof KEYS)[number];

/** Loads what the packet carries beside its bytes into `dreg`, or sets it from `sreg`. Interface names fill 16 bytes. */
export interface MetaExpression {
  readonly kind: 'meta';
  readonly key: MetaKey;
  readonly dreg?: number;
  readonly sreg?: number;
}

export const meta: ExpressionCodec<MetaExpression> = expression<MetaExpression>('meta', [
  { type: 2, property: 'key', value: names(KEYS), required: true },
  { type: 1, property: 'dreg', value: u32 },
  { type: 3, property: 'sreg', value: u32 },
]);
