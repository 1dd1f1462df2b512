import { parseHex, printHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyDecodeErrors, expectTruncationIsNoticed } from '../codec-kit.ts';
import {
  beginMessage,
  closeAttribute,
  decodeDone,
  decodeErrorMessage,
  decodeHeader,
  decodeMessages,
  decodeNetfilterHeader,
  eachAttribute,
  encodeNetfilterHeader,
  endMessage,
  openNest,
  putBytes,
  putString,
  putU8,
  putU16,
  putU32,
  putU32Host,
  putU64,
  readBytes,
  readString,
} from './index.ts';

describe('header', () => {
  it('has the layout of struct nlmsghdr, host order', () => {
    const w = new Writer();
    const at = beginMessage(w, 0x0a06, 0x0405, 0x01020304);
    encodeNetfilterHeader(w, 2, 0x0102);
    w.u8(1);
    endMessage(w, at);
    expect(printHex(w.finish())).toBe('18000000060a0504040302010000000002000102' + '01000000');
  });

  const bad: { name: string; input: string; want: RegExp }[] = [
    { name: 'nothing', input: '', want: /nlmsg_len: needs 4/ },
    { name: 'cut in the header', input: '1000000001', want: /5 bytes left/ },
    { name: 'length below the header', input: '0f000000 0100 0000 00000000 00000000', want: /less than the header/ },
    { name: 'length above what is there', input: '11000000 0100 0000 00000000 00000000', want: /is 17, 16 bytes left/ },
  ];
  it.each(bad)('$name', ({ input, want }) => {
    expect(() => decodeHeader(new Reader(parseHex(input)))).toThrow(want);
  });

  it('messages of one datagram are told apart by their lengths, padded to four; the last may lack its padding', () => {
    const bytes = parseHex('11000000 1000 0000 01000000 00000000 aa000000 12000000 1100 0000 02000000 00000000 bbcc');
    const seen: string[] = [];
    decodeMessages(new Reader(bytes), (header, r) => {
      seen.push(`${header.type} ${header.sequence} ${printHex(r.rest())}`);
      return true;
    });
    expect(seen).toEqual(['16 1 aa', '17 2 bbcc']);
    let first = 0;
    decodeMessages(new Reader(bytes), () => {
      first++;
      return false;
    });
    expect(first).toBe(1);
  });
});

describe('attributes', () => {
  it('have length, type, value and padding', () => {
    const w = new Writer();
    putU8(w, 1, 0xab);
    putU16(w, 2, 0x1234);
    putU32(w, 3, 0x12345678);
    putU32Host(w, 4, 0x12345678);
    putU64(w, 5, 0x123456789abcdef0n);
    putString(w, 6, 'ab');
    const nest = openNest(w, 7);
    putBytes(w, 8, Uint8Array.of(1));
    closeAttribute(w, nest);
    expect(printHex(w.finish())).toBe(
      [
        '05000100ab000000',
        '0600020012340000',
        '0800030012345678',
        '0800040078563412',
        '0c000500123456789abcdef0',
        '0700060061620000',
        '0c000780',
        '0500080001000000',
      ].join(''),
    );
  });

  const bad: { name: string; input: string }[] = [
    { name: 'cut in the length', input: '08' },
    { name: 'cut in the type', input: '080001' },
    { name: 'length below its own', input: '03000100' },
    { name: 'length zero would never end', input: '00000100' },
    { name: 'length above what is there', input: '0900010000000000' },
  ];
  it.each(bad)('$name is a DecodeError', ({ input }) => {
    expect(() => eachAttribute(new Reader(parseHex(input)), () => undefined)).toThrow(expect.objectContaining({ code: 'DECODE' }) as Error);
  });

  it('the last may lack its padding; flags of the type are removed', () => {
    const seen: [number, string][] = [];
    eachAttribute(new Reader(parseHex('0500018001000000 060002c00102')), (type, value) => seen.push([type, printHex(value.rest())]));
    expect(seen).toEqual([
      [1, '01'],
      [2, '0102'],
    ]);
  });

  it('any list of bytes comes back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 }))), (list) => {
        const w = new Writer(1);
        for (const [type, value] of list) putBytes(w, type, value);
        const bytes = w.finish();
        const seen: [number, Uint8Array][] = [];
        const decode = (r: Reader) => eachAttribute(r, (type, value) => seen.push([type, readBytes(value)]));
        decode(new Reader(bytes));
        expect(seen).toEqual(list);
      }),
    );
  });

  it('a value of more than 65,531 bytes cannot be written', () => {
    const w = new Writer();
    putBytes(w, 1, new Uint8Array(65_531));
    expect(() => putBytes(w, 1, new Uint8Array(65_532))).toThrow(RangeError);
    expect(() => putString(w, 1, 'a\0b')).toThrow(RangeError);
  });

  it('text ends at its NUL or its length', () => {
    expect(readString(new Reader(parseHex('616200ff')))).toBe('ab');
    expect(readString(new Reader(parseHex('6162')))).toBe('ab');
    expect(readString(new Reader(parseHex('')))).toBe('');
  });
});

describe('errors', () => {
  /** Linux 6.18: NEWRULE for a chain that is not there, with CAP_ACK and EXT_ACK; type 2, flags CAPPED | ACK_TLVS. */
  const capped = parseHex('feffffff 70000000060a010c 02000000 dc330000 08000200 1c000000');
  const header = (flags: number) => ({ length: 0, type: 2, flags, sequence: 2, portId: 0 });

  it('carry errno, the request, and what the extended acknowledgement adds', () => {
    expect(decodeErrorMessage(header(0x300), new Reader(capped))).toEqual({ errno: 2, request: { type: 0x0a06, sequence: 2 }, offset: 28 });
    const text = parseHex('eaffffff 14000000060a050002000000dc330000 0c000100 6e6f20676f6f6400 08000500 03000000 08000600 14000000');
    expect(decodeErrorMessage(header(0x300), new Reader(text))).toEqual({
      errno: 22,
      request: { type: 0x0a06, sequence: 2 },
      message: 'no good',
      missingType: 3,
      missingNest: 20,
    });
  });

  it('that are not capped repeat the request, which is passed over', () => {
    const full = parseHex('eaffffff 12000000 060a0500 02000000 dc330000 aabb0000 08000200 1c000000');
    expect(decodeErrorMessage(header(0x200), new Reader(full))).toMatchObject({ errno: 22, offset: 28 });
    expect(() => decodeErrorMessage(header(0x200), new Reader(parseHex('eaffffff 0f000000 060a0500 02000000 dc330000')))).toThrow(
      /less than the header/,
    );
  });

  it('of zero are acknowledgements; positive ones do not exist', () => {
    const ack = parseHex('00000000 24000000060a050402000000dc330000');
    expect(decodeErrorMessage(header(0x100), new Reader(ack))).toEqual({ errno: 0, request: { type: 0x0a06, sequence: 2 } });
    expect(() => decodeErrorMessage(header(0x100), new Reader(parseHex('01000000 24000000060a050402000000dc330000')))).toThrow(
      /error is 1/,
    );
  });

  it('at the end of a dump', () => {
    const done = { ...header(0), type: 3 };
    expect(decodeDone(done, new Reader(parseHex('')))).toEqual({ errno: 0 });
    expect(decodeDone(done, new Reader(parseHex('00000000')))).toEqual({ errno: 0 });
    expect(decodeDone(done, new Reader(parseHex('fcffffff')))).toEqual({ errno: 4 });
  });

  it('that are cut short or changed give a DecodeError or a value', () => {
    const decode = (r: Reader) => decodeErrorMessage(header(0x300), r);
    expectTruncationIsNoticed(decode, capped);
    expectOnlyDecodeErrors(decode, capped);
    expect(() => decodeNetfilterHeader(new Reader(parseHex('010203')))).toThrow(/nfgenmsg/);
  });
});
