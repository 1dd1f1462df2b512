import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, parseHex, printHex, Writer } from '../bytes/index.ts';
import { type CapturedFrame, encodePcap, type Link, readEthernet, readFrames, readLink, readsLinkType } from './index.ts';

const framesOf = (bytes: Uint8Array): readonly CapturedFrame[] => [...readFrames(bytes)].filter((one) => one.kind === 'frame');

describe('a pcap file', () => {
  it('is laid out as the format says', () => {
    // draft-ietf-opsawg-pcap section 4 and 5.
    const header = 'd4c3b2a1'.concat('0200', '0400', '00000000', '00000000', '00000400', '65000000');
    const frame = '01000000'.concat('06000000', '03000000', '09000000', '450000');
    const bytes = encodePcap(101, [{ time: 1_000_006, bytes: parseHex('450000'), wireLength: 9 }]);
    expect(printHex(bytes)).toBe(header + frame);
    expect(framesOf(bytes)).toEqual([
      { kind: 'frame', time: 1_000_006, offset: 40, linkType: 101, bytes: parseHex('450000'), wireLength: 9, interface: undefined },
    ]);
  });

  it('says the frames again that were written', () => {
    const frame = fc.record({
      time: fc.integer({ min: 0, max: 2 ** 32 * 1e6 - 1 }),
      bytes: fc.uint8Array({ maxLength: 100 }),
      more: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.nat(300), fc.array(frame, { maxLength: 20 }), (linkType, list) => {
        const given = list.map(({ time, bytes, more }) => ({ time, bytes, wireLength: bytes.length + more }));
        const got = framesOf(encodePcap(linkType, given));
        expect(got.map(({ time, bytes, wireLength }) => ({ time, bytes: new Uint8Array(bytes), wireLength }))).toEqual(given);
        expect(got.every((one) => one.linkType === linkType)).toBe(true);
      }),
    );
  });

  it('cut anywhere gives the frames that are whole, and says what is wrong', () => {
    const bytes = encodePcap(1, [{ bytes: new Uint8Array(20) }, { bytes: new Uint8Array(30) }]);
    for (let k = 0; k < bytes.length; k++) {
      const cut = bytes.subarray(0, k);
      if (k < 24) {
        expect(() => [...readFrames(cut)]).toThrow(DecodeError);
        continue;
      }
      const whole = k < 60 ? 0 : 1;
      const kinds = [...readFrames(cut)].map(({ kind }) => kind);
      expect(kinds).toEqual([...new Array<string>(whole).fill('frame'), ...(k === 24 || k === 60 ? [] : ['problem'])]);
    }
  });

  it.each([
    { name: 'a frame that is too long', frame: { bytes: new Uint8Array(262_145) }, want: 'a frame of 262145 octets' },
    { name: 'a time before 1970', frame: { time: -1, bytes: new Uint8Array(1) }, want: 'a time of -1 seconds' },
    { name: 'a time after 2106', frame: { time: 2 ** 32 * 1e6, bytes: new Uint8Array(1) }, want: 'a time of 4294967296 seconds' },
  ])('$name is not written', ({ frame, want }) => expect(() => encodePcap(1, [frame])).toThrow(new RangeError(want)));

  it('any octets give frames, problems or a DecodeError', () => {
    const magic = fc.constantFrom('', 'd4c3b2a1', 'a1b2c3d4', '0a0d0d0a', '0a0d0d0a1c0000004d3c2b1a');
    fc.assert(
      fc.property(magic, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        const bytes = Uint8Array.of(...parseHex(start), ...rest);
        try {
          for (const one of readFrames(bytes)) if (one.kind === 'frame') expect(one.wireLength).toBeGreaterThanOrEqual(one.bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

it('a pcapng file names the interface and how long the frame was', () => {
  const w = new Writer();
  const block = (type: number, body: Writer): void => {
    body.align(4);
    w.u32LE(type)
      .u32LE(12 + body.length)
      .bytes(body.view())
      .u32LE(12 + body.length);
  };
  block(0x0a0d0d0a, new Writer().u32LE(0x1a2b3c4d).u16LE(1).u16LE(0).u64LE(0xffff_ffff_ffff_ffffn));
  const name = new TextEncoder().encode('eth0');
  block(1, new Writer().u16LE(1).u16LE(0).u32LE(0).u16LE(2).u16LE(4).bytes(name).u32LE(0));
  block(6, new Writer().u32LE(0).u32LE(0).u32LE(7).u32LE(3).u32LE(60).bytes(parseHex('010203')));
  block(3, new Writer().u32LE(64).bytes(parseHex('040506')));
  const frames = framesOf(w.finish());
  expect(frames.map(({ time, linkType, wireLength, interface: on }) => ({ time, linkType, wireLength, on }))).toEqual([
    { time: 7, linkType: 1, wireLength: 60, on: 'eth0' },
    { time: 0, linkType: 1, wireLength: 64, on: 'eth0' },
  ]);
});

const ip = '45000014';
const mac = '020000000002020000000001';

describe('a link header', () => {
  it.each<{ readonly name: string; readonly linkType: number; readonly hex: string; readonly want: Link | undefined }>([
    { name: 'Ethernet', linkType: 1, hex: `${mac}0800${ip}`, want: { network: 14, family: 4, type: 0x0800, vlans: [] } },
    { name: 'Ethernet with IPv6', linkType: 1, hex: `${mac}86dd60`, want: { network: 14, family: 6, type: 0x86dd, vlans: [] } },
    { name: 'ARP', linkType: 1, hex: `${mac}08060001`, want: { network: 14, family: undefined, type: 0x0806, vlans: [] } },
    {
      name: 'a VLAN tag',
      linkType: 1,
      hex: `${mac}8100e00a0800${ip}`,
      want: { network: 18, family: 4, type: 0x0800, vlans: [10] },
    },
    {
      name: '802.1ad',
      linkType: 1,
      hex: `${mac}88a800648100000a86dd60`,
      want: { network: 22, family: 6, type: 0x86dd, vlans: [100, 10] },
    },
    {
      name: 'five tags',
      linkType: 1,
      hex: `${mac}${'81000001'.repeat(5)}0800${ip}`,
      want: { network: 30, family: undefined, type: 0x8100, vlans: [1, 1, 1, 1] },
    },
    { name: 'half a tag', linkType: 1, hex: `${mac}810000`, want: { network: 15, family: undefined, type: undefined, vlans: [] } },
    { name: 'half an address', linkType: 1, hex: '0200', want: { network: 2, family: undefined, type: undefined, vlans: [] } },
    { name: 'nothing', linkType: 1, hex: '', want: { network: 0, family: undefined, type: undefined, vlans: [] } },
    { name: 'raw', linkType: 101, hex: ip, want: { network: 0, family: 4, type: undefined, vlans: [] } },
    { name: 'raw, no version', linkType: 101, hex: '50', want: { network: 0, family: undefined, type: undefined, vlans: [] } },
    { name: 'BSD loopback', linkType: 0, hex: `02000000${ip}`, want: { network: 4, family: 4, type: undefined, vlans: [] } },
    {
      name: 'Linux cooked',
      linkType: 113,
      hex: `0000000100060200000000010000${'0800'}${ip}`,
      want: { network: 16, family: 4, type: 0x0800, vlans: [] },
    },
    {
      name: 'Linux cooked 2',
      linkType: 276,
      hex: `86dd000000000002000100060200000000010000${'60'}`,
      want: { network: 20, family: 6, type: 0x86dd, vlans: [] },
    },
    {
      name: 'Linux cooked 2 with a tag',
      linkType: 276,
      hex: `8100000000000002000100060200000000010000000a0800${ip}`,
      want: { network: 24, family: 4, type: 0x0800, vlans: [10] },
    },
    // A prefix (type 10) before the payload.
    {
      name: 'NFLOG',
      linkType: 239,
      hex: `02000005${'07000a0061620000'}${'18000900'}${ip}`,
      want: { network: 16, family: 4, type: undefined, vlans: [] },
    },
    {
      name: 'NFLOG without a payload',
      linkType: 239,
      hex: '0200000500000a00',
      want: { network: 8, family: undefined, type: undefined, vlans: [] },
    },
    { name: 'one that is not read', linkType: 147, hex: ip, want: undefined },
  ])('$name', ({ linkType, hex, want }) => {
    expect(readLink(parseHex(hex), linkType)).toEqual(want);
    expect(readsLinkType(linkType)).toBe(want !== undefined);
  });

  it('of any octets ends inside them', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 12, 14, 101, 108, 113, 228, 229, 239, 276), fc.uint8Array({ maxLength: 60 }), (linkType, bytes) => {
        for (const link of [readLink(bytes, linkType), readEthernet(bytes)]) expect(link?.network).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
