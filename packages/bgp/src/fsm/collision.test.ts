import { asn, ip4 } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { survivor } from './collision.ts';

const side = (routerId: number, as: number): Parameters<typeof survivor>[0] => ({ routerId: ip4(routerId), as: asn(as) });

describe('survivor', () => {
  const rows = [
    { name: 'our identifier is higher', local: side(2, 64512), peer: side(1, 64513), want: 'outgoing' },
    { name: 'theirs is higher', local: side(1, 64513), peer: side(2, 64512), want: 'incoming' },
    { name: 'identifiers are unsigned', local: side(0xc0000201, 64512), peer: side(0x0a000001, 64513), want: 'outgoing' },
    { name: 'equal, our AS is higher (RFC 6286)', local: side(1, 64513), peer: side(1, 64512), want: 'outgoing' },
    { name: 'equal, theirs is higher', local: side(1, 64512), peer: side(1, 4_200_000_000), want: 'incoming' },
  ];
  for (const { name, local, peer, want } of rows) {
    it(name, () => {
      expect(survivor(local, peer)).toBe(want);
      expect(survivor(peer, local)).toBe(want === 'outgoing' ? 'incoming' : 'outgoing');
    });
  }
});
