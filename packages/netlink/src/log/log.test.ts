import { parseHex, printHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyDecodeErrors, expectRoundTrip, expectTruncationIsNoticed } from '../codec-kit.ts';
import { encodeLogBind, encodeLogUnbind } from './config.ts';
import { connectionState, decodeLogPacket, encodeLogPacket, hookName, type LogPacket } from './packet.ts';

/** The attributes that Linux 6.18 sent for a UDP datagram that came in by a veth, seen by `meta mark set 9 log group 5 prefix "in"`, cut after 40 octets. */
const RECEIVED =
  '080001000800000007000a00696e0000080004000000000208000200000000091000080000060000020000000001000006000f000001000006001100000e0000120010000200000000020200000000010800000014000300000000006b01559a00000000000cd07208000c000000000008000d0000000001200009004500001c0001000040111496c6336401cb0071051234003500080000';

const decode = (r: Reader): LogPacket => decodeLogPacket(2, 5, r);

const u32 = fc.nat({ max: 0xffffffff });
const u16 = fc.nat({ max: 0xffff });
const octets = (maxLength: number) => fc.uint8Array({ maxLength });
const packet: fc.Arbitrary<LogPacket> = fc.record(
  {
    family: fc.constant(2),
    group: fc.constant(5),
    protocol: u16,
    hook: fc.nat({ max: 255 }),
    prefix: fc.string({ maxLength: 60 }).filter((text) => !text.includes('\0')),
    mark: u32,
    time: fc.record({ seconds: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), microseconds: fc.bigInt({ min: 0n, max: 999_999n }) }),
    input: u32,
    output: u32,
    physicalInput: u32,
    physicalOutput: u32,
    sourceAddress: octets(8),
    linkType: u16,
    linkHeader: octets(32),
    vlan: fc.record({ protocol: u16, tci: u16 }),
    payload: octets(100),
    uid: u32,
    gid: u32,
    sequence: u32,
    globalSequence: u32,
    connection: u32,
    conntrack: octets(40),
  },
  { requiredKeys: ['family', 'group'] },
);

describe('logged packets', () => {
  it('as the kernel sends them', () => {
    const { payload, sourceAddress, linkHeader, ...rest } = decode(new Reader(parseHex(RECEIVED)));
    expect(rest).toEqual({
      family: 2,
      group: 5,
      protocol: 0x0800,
      hook: 0,
      prefix: 'in',
      mark: 9,
      input: 2,
      linkType: 1,
      time: { seconds: 0x6b01559an, microseconds: 0xcd072n },
      sequence: 0,
      globalSequence: 1,
    });
    expect(printHex(sourceAddress ?? new Uint8Array())).toBe('020000000001');
    expect(printHex(linkHeader ?? new Uint8Array())).toBe('0200000000020200000000010800');
    expect(printHex(payload ?? new Uint8Array())).toBe('4500001c0001000040111496c6336401cb0071051234003500080000');
  });

  it('that are cut or damaged give DecodeError or less', () => {
    const bytes = parseHex(RECEIVED);
    expectTruncationIsNoticed(decode, bytes);
    expectOnlyDecodeErrors(decode, bytes);
  });

  it('come back from what they are written as', () => {
    fc.assert(
      fc.property(packet, (value) => {
        // The kernel's own header has both or neither.
        const { protocol, hook, ...rest } = value;
        expectRoundTrip({ decode, encode: encodeLogPacket }, protocol === undefined || hook === undefined ? rest : value);
      }),
    );
  });

  const rows: readonly { name: string; input: number; want: ReturnType<typeof connectionState> }[] = [
    { name: 'established', input: 0, want: 'established' },
    { name: 'related', input: 1, want: 'related' },
    { name: 'new', input: 2, want: 'new' },
    { name: 'established, reply', input: 3, want: 'established' },
    { name: 'related, reply', input: 4, want: 'related' },
    { name: 'untracked', input: 7, want: 'untracked' },
    { name: 'nothing known', input: 8, want: undefined },
  ];
  it.each(rows)('connection: $name', ({ input, want }) => {
    expect(connectionState(input)).toBe(want);
  });

  it('names of hooks', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map(hookName)).toEqual(['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', undefined]);
  });
});

describe('settings of a group', () => {
  const rows: readonly { name: string; input: (w: Writer) => void; want: string }[] = [
    {
      // Taken by Linux 6.18.
      name: 'everything',
      input: (w) => encodeLogBind(w, { copy: 40, delay: 10, threshold: 1, sequence: true }),
      want: '05000100010000000a0002000000002802000000080004000000000108000500000000010600060000030000',
    },
    {
      name: 'no octets, conntrack, a buffer',
      input: (w) => encodeLogBind(w, { copy: 0, buffer: 4096, conntrack: true }),
      want: '05000100010000000a000200000000000000000008000300000010000600060000040000',
    },
    {
      name: 'more octets than there can be',
      input: (w) => encodeLogBind(w, { copy: 1e6 }),
      want: '05000100010000000a0002000000ffff02000000',
    },
    { name: 'unbind', input: encodeLogUnbind, want: '0500010002000000' },
  ];
  it.each(rows)('$name', ({ input, want }) => {
    const w = new Writer();
    input(w);
    expect(printHex(w.finish())).toBe(want);
  });
});
