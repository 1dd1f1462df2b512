import { Writer } from '@weir/wire/bytes';
import { asn, ip4, ip6, makePrefix, printPrefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { AttributeCache } from './attribute-cache.ts';
import { sessionContext } from './context.ts';
import { nlriRun, prefixAt } from './run.ts';
import type { NlriRun, PathAttributes, SessionContext, UpdateMessage } from './types.ts';
import { decodeUpdate } from './update.ts';
import { encodeEndOfRib, encodeUpdate, type UpdateBatch } from './update-encode.ts';

const attributes: PathAttributes = { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64513)] }], communities: [0xfc000050] };
const hop4 = { address: ip4(0xc0000201) };
const hop6 = { address: ip6(0x20010db8, 0, 0, 1) };
const hosts4 = nlriRun(
  'ipv4 unicast',
  Array.from({ length: 5000 }, (_, i) => makePrefix(ip4(0x0a000000 + i), 32)),
);
const nets6 = nlriRun(
  'ipv6 unicast',
  Array.from({ length: 3000 }, (_, i) => makePrefix(ip6(0x20010db8, i, 0, 0), 64)),
);
const context = sessionContext();

function texts(run: NlriRun): readonly string[] {
  return Array.from({ length: run.count }, (_, i) => `${run.pathIds ? `${run.pathIds[i]}@` : ''}${printPrefix(prefixAt(run, i))}`);
}

function sent(
  batch: UpdateBatch,
  c: SessionContext = context,
): { readonly sizes: readonly number[]; readonly messages: readonly UpdateMessage[] } {
  const bytes = [...encodeUpdate(batch, c)];
  return { sizes: bytes.map((b) => b.length), messages: bytes.map((b) => decodeUpdate(b, c)) };
}

describe('encodeUpdate', () => {
  it.each([
    { name: 'IPv4 in the NLRI field', batch: { attributes, announce: [{ nextHop: hop4, run: hosts4 }] }, c: context },
    { name: 'IPv4 in MP_REACH_NLRI', batch: { attributes, announce: [{ nextHop: hop4, run: hosts4 }], multiprotocol: true }, c: context },
    {
      name: 'IPv4 behind IPv6',
      batch: { attributes, announce: [{ nextHop: hop6, run: hosts4 }] },
      c: sessionContext({ extendedNextHop: true }),
    },
    { name: 'IPv6', batch: { attributes, announce: [{ nextHop: hop6, run: nets6 }] }, c: context },
    {
      name: 'IPv6 in long messages',
      batch: { attributes, announce: [{ nextHop: hop6, run: nets6 }] },
      c: sessionContext({ extendedMessage: true }),
    },
    {
      name: 'IPv4 with path identifiers',
      batch: { attributes, announce: [{ nextHop: hop4, run: { ...hosts4, pathIds: Uint32Array.from({ length: 5000 }, (_, i) => i) } }] },
      c: sessionContext({ addPath: ['ipv4 unicast'] }),
    },
  ])('$name: every prefix once, in order, in as few messages as hold them', ({ batch, c }) => {
    const { sizes, messages } = sent(batch, c);
    const longest = c.extendedMessage ? 65535 : 4096;
    const [first] = batch.announce;
    expect(messages.flatMap((m) => m.errors)).toEqual([]);
    expect(messages.flatMap((m) => m.announce.flatMap((a) => texts(a.run)))).toEqual(first && texts(first.run));
    for (const m of messages) expect(m.announce[0]?.nextHop).toEqual(first?.nextHop);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(longest);
    // No prefix of the next message would have had room in the one before.
    for (const size of sizes.slice(0, -1)) expect(size + 21).toBeGreaterThan(longest);
    expect(new Set(messages.map((m) => m.attributes.nextHop !== undefined)).size).toBe(1);
  });

  it.each([
    { name: 'IPv4', run: hosts4, multiprotocol: false },
    { name: 'IPv4 in MP_UNREACH_NLRI', run: hosts4, multiprotocol: true },
    { name: 'IPv6', run: nets6, multiprotocol: false },
  ])('$name withdrawn', ({ run, multiprotocol }) => {
    const { sizes, messages } = sent({ withdraw: [run], multiprotocol });
    expect(messages.flatMap((m) => m.withdraw.flatMap(texts))).toEqual(texts(run));
    for (const size of sizes.slice(0, -1)) expect(size + 17).toBeGreaterThan(4096);
  });

  it('both, withdrawals first', () => {
    const small = nlriRun('ipv4 unicast', [makePrefix(ip4(0xc6336400), 24)]);
    const { messages } = sent({ attributes, announce: [{ nextHop: hop4, run: small }], withdraw: [small] });
    expect(messages.map((m) => [m.withdraw.length, m.announce.length])).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it('nothing for nothing', () => {
    expect(sent({}).sizes).toEqual([]);
    expect(sent({ attributes, announce: [{ nextHop: hop4, run: nlriRun('ipv4 unicast', []) }] }).sizes).toEqual([]);
  });

  it('refuses attributes that leave no room, and an announcement without a next hop', () => {
    const huge = { ...attributes, communities: Array.from({ length: 1015 }, (_, i) => i) };
    expect(() => sent({ attributes: huge, announce: [{ nextHop: hop4, run: hosts4 }] })).toThrow(RangeError);
    expect(() => sent({ attributes, announce: [{ nextHop: undefined, run: nets6 }] })).toThrow(RangeError);
  });
});

describe('End-of-RIB', () => {
  it.each(['ipv4 unicast', 'ipv6 unicast'] as const)('%s', (name) => {
    const w = new Writer();
    encodeEndOfRib(w, name);
    expect(decodeUpdate(w.finish(), context)).toMatchObject({ endOfRib: name, errors: [], withdraw: [], announce: [] });
  });
});

describe('AttributeCache', () => {
  const bytesFor = (med: number, prefix: number): Uint8Array => {
    const run = nlriRun('ipv4 unicast', [makePrefix(ip4(prefix), 32)]);
    const [bytes] = encodeUpdate({ attributes: { ...attributes, med }, announce: [{ nextHop: hop4, run }] }, context);
    if (!bytes) throw new Error('no message');
    return bytes;
  };

  it('gives one object for equal bytes once they have come twice', () => {
    const cache = new AttributeCache(4);
    const seen = [1, 2, 3, 4].map((n) => decodeUpdate(bytesFor(7, n), context, cache));
    expect(seen[2]?.attributes).toBe(seen[3]?.attributes);
    expect(seen[2]?.rawAttributes).toBe(seen[3]?.rawAttributes);
    expect(seen[0]).toEqual({ ...seen[3], announce: seen[0]?.announce });
  });

  it('never gives what another decode would not', () => {
    const cache = new AttributeCache(2);
    for (let i = 0; i < 300; i++) {
      const bytes = bytesFor((i * 7) % 5, i + 1);
      expect(decodeUpdate(bytes, context, cache)).toEqual(decodeUpdate(bytes, context));
    }
  });

  it('forgets in another context', () => {
    const cache = new AttributeCache(4);
    const bytes = bytesFor(1, 1);
    for (let i = 0; i < 3; i++) decodeUpdate(bytes, context, cache);
    const narrow = sessionContext({ fourOctetAs: false });
    expect(decodeUpdate(bytes, narrow, cache)).toEqual(decodeUpdate(bytes, narrow));
  });

  it('does not keep what has errors', () => {
    const cache = new AttributeCache(4);
    const bytes = bytesFor(1, 1);
    bytes[26] = 9;
    for (let i = 0; i < 3; i++) expect(decodeUpdate(bytes, context, cache).errors).toHaveLength(1);
  });
});
