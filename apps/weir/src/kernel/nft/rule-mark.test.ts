import { encodeTlvs, textTlv } from '@weir/netlink/nftables';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RuleMark } from './rule-mark.ts';

// As `fc.string` of any code points, which would first make a map of all of them.
const names = fc.array(fc.nat(0x10ffff), { maxLength: 30 }).map((points) => String.fromCodePoint(...points));

it('is a comment as nft writes it, and the fingerprint', () => {
  fc.assert(
    fc.property(names, (text) => {
      const name = text.replaceAll('\0', '');
      const fingerprint = '0123456789abcdef';
      const userdata = RuleMark.write(name, fingerprint);
      expect(userdata).toEqual(encodeTlvs([textTlv(0, name), textTlv(0x57, fingerprint)]));
      const comment = new TextDecoder().decode(new TextEncoder().encode(name));
      expect(RuleMark.read({ family: 'inet', table: 't', chain: 'c', expressions: [], userdata, comment })).toEqual({
        name: comment,
        fingerprint,
      });
    }),
  );
});

it('refuses what nft cannot read', () => {
  expect(() => RuleMark.write('x'.repeat(128), '0123456789abcdef')).toThrow(RangeError);
  expect(() => RuleMark.write('a\0b', '0123456789abcdef')).toThrow(RangeError);
  expect(RuleMark.write('x'.repeat(127), '0123456789abcdef')).toHaveLength(2 + 128 + 2 + 17);
});
