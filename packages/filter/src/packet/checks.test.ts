import { parseHex } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, finishChecksum, sumWords } from './checksum.ts';
import { isDnsQuery, isNtp, readSip } from './index.ts';

const text = (value: string): Uint8Array => Uint8Array.from(value, (c) => c.charCodeAt(0));

describe('SIP start lines', () => {
  it.each<{ readonly name: string; readonly input: string; readonly want: ReturnType<typeof readSip> }>([
    // RFC 3261 section 24.2 (F1) and 24.1.
    {
      name: 'INVITE',
      input: 'INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.com\r\n\r\n',
      want: { kind: 'request', method: 'INVITE', uri: 'sip:bob@biloxi.com' },
    },
    {
      name: 'REGISTER',
      input: 'REGISTER sip:registrar.biloxi.com SIP/2.0\r\n',
      want: { kind: 'request', method: 'REGISTER', uri: 'sip:registrar.biloxi.com' },
    },
    { name: 'a status', input: 'SIP/2.0 180 Ringing\r\n', want: { kind: 'status', status: 180, reason: 'Ringing' } },
    { name: 'a reason of several words', input: 'SIP/2.0 404 Not Found\r\n', want: { kind: 'status', status: 404, reason: 'Not Found' } },
    // Section 25.1: the reason may be empty, the space before it not.
    { name: 'an empty reason', input: 'SIP/2.0 200 \r\n', want: { kind: 'status', status: 200, reason: '' } },
    { name: 'no reason', input: 'SIP/2.0 200\r\n', want: undefined },
    { name: 'sips', input: 'BYE sips:x@example.net SIP/2.0\r\n', want: { kind: 'request', method: 'BYE', uri: 'sips:x@example.net' } },
    { name: 'tel', input: 'REFER tel:+1-201-555-0123 SIP/2.0\r\n', want: { kind: 'request', method: 'REFER', uri: 'tel:+1-201-555-0123' } },
    // Section 7.5: a UAS ignores CRLFs before the start line; section 7.1: the version is case-insensitive.
    {
      name: 'CRLFs before it',
      input: '\r\n\r\nACK sip:a@example.net sip/2.0\r\n',
      want: { kind: 'request', method: 'ACK', uri: 'sip:a@example.net' },
    },
    { name: 'a lower-case method', input: 'invite sip:bob@example.net SIP/2.0\r\n', want: undefined },
    { name: 'a method that is none', input: 'GET sip:bob@example.net SIP/2.0\r\n', want: undefined },
    { name: 'HTTP', input: 'OPTIONS http://example.net SIP/2.0\r\n', want: undefined },
    { name: 'another version', input: 'INVITE sip:bob@example.net SIP/3.0\r\n', want: undefined },
    { name: 'a space in the URI', input: 'INVITE sip:bob @example.net SIP/2.0\r\n', want: undefined },
    { name: 'a control in the URI', input: 'INVITE sip:bob\x01@example.net SIP/2.0\r\n', want: undefined },
    { name: 'DEL in the URI', input: 'INVITE sip:bob\x7f@example.net SIP/2.0\r\n', want: undefined },
    { name: 'angle brackets', input: 'INVITE <sip:bob@example.net> SIP/2.0\r\n', want: undefined },
    { name: 'an angle bracket inside', input: 'INVITE sip:bob>@example.net SIP/2.0\r\n', want: undefined },
    { name: 'no URI', input: 'INVITE sip: SIP/2.0\r\n', want: undefined },
    { name: 'two spaces', input: 'INVITE  sip:bob@example.net SIP/2.0\r\n', want: undefined },
    { name: 'a space before', input: ' INVITE sip:bob@example.net SIP/2.0\r\n', want: undefined },
    { name: 'LF alone', input: 'INVITE sip:bob@example.net SIP/2.0\n', want: undefined },
    { name: 'CR alone', input: 'INVITE sip:bob@example.net SIP/2.0\rX\n', want: undefined },
    { name: 'no end', input: 'INVITE sip:bob@example.net SIP/2.0', want: undefined },
    { name: 'no LF', input: 'INVITE sip:bob@example.net SIP/2.0\r', want: undefined },
    { name: 'status 099', input: 'SIP/2.0 099 X\r\n', want: undefined },
    { name: 'status 699', input: 'SIP/2.0 699 X\r\n', want: { kind: 'status', status: 699, reason: 'X' } },
    { name: 'status 700', input: 'SIP/2.0 700 X\r\n', want: undefined },
    { name: 'a status of four digits', input: 'SIP/2.0 2000 X\r\n', want: undefined },
    { name: 'nothing', input: '', want: undefined },
    { name: 'a keepalive is none', input: '\r\n\r\n', want: undefined },
  ])('$name', ({ input, want }) => expect(readSip(text(input))).toEqual(want));

  it.each([
    { name: 'ends at the 512th octet', length: 512, want: 'request' },
    { name: 'ends after it', length: 513, want: undefined },
  ])('a line that $name', ({ length, want }) => {
    const line = `INVITE sip:${'a'.repeat(length - 'INVITE sip: SIP/2.0\r\n'.length)} SIP/2.0\r\n`;
    expect(line).toHaveLength(length);
    expect(readSip(text(`${line}Via: x\r\n`))?.kind).toBe(want);
  });

  it.each([
    { name: 'CRLFCRLF', input: '\r\n\r\n', want: 'keepalive' },
    { name: 'zeros', input: '\0\0\0\0', want: 'keepalive' },
    { name: 'three zeros', input: '\0\0\0', want: undefined },
    { name: 'more after them', input: '\0\0\0\0\0', want: undefined },
    { name: 'a request', input: 'BYE sip:a SIP/2.0\r\n', want: 'request' },
  ])('with keepalives: $name', ({ input, want }) => expect(readSip(text(input), { keepalives: true })?.kind).toBe(want));

  it('no octets make it throw or take long', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void readSip(bytes)));
    expect(readSip(text('\r\n'.repeat(40_000)))).toBeUndefined();
  });
});

/** id aaaa, RD, one question; then the name, A, IN (RFC 1035 section 4.1). */
const header = 'aaaa01000001000000000000';
const name = '076578616d706c6503636f6d00';
const question = `${name}00010001`;
const label63 = `3f${'61'.repeat(63)}`;

describe('DNS queries', () => {
  it.each([
    { name: 'a query', input: `${header}${question}`, want: true },
    { name: 'of the root', input: `${header}0000020001`, want: true },
    { name: 'with EDNS', input: `aaaa01000001000000000001${question}0000291000000000000000`, want: true },
    { name: 'AD and CD', input: `aaaa01300001000000000000${question}`, want: true },
    { name: 'Z', input: `aaaa01400001000000000000${question}`, want: false },
    { name: 'a response', input: `aaaa81800001000000000000${question}`, want: false },
    { name: 'no question', input: `aaaa01000000000000000000${question}`, want: false },
    { name: 'two questions', input: `aaaa01000002000000000000${question}${question}`, want: false },
    { name: 'an answer', input: `aaaa01000001000100000000${question}`, want: false },
    { name: 'a compressed name', input: `${header}c00c00010001`, want: false },
    { name: 'compression after a label', input: `${header}0161c00c00010001`, want: false },
    { name: 'a label of 63', input: `${header}${label63}0000010001`, want: true },
    { name: 'a label of 64', input: `${header}40${'61'.repeat(64)}0000010001`, want: false },
    { name: 'a name of 255', input: `${header}${label63.repeat(3)}3d${'61'.repeat(61)}0000010001`, want: true },
    { name: 'a name of 256', input: `${header}${label63.repeat(3)}3e${'61'.repeat(62)}0000010001`, want: false },
    { name: 'no end of the name', input: `${header}${label63}`, want: false },
    { name: 'no type', input: `${header}${name}`, want: false },
    { name: 'half a class', input: `${header}${name}000100`, want: false },
    { name: '11 octets', input: header.slice(2), want: false },
    { name: 'nothing', input: '', want: false },
  ])('$name', ({ input, want }) => expect(isDnsQuery(parseHex(input))).toBe(want));
});

describe('NTP packets (RFC 5905 section 7.3)', () => {
  const rest = '00'.repeat(47);
  it.each([
    { name: 'a client of version 4', input: `23${rest}`, want: true },
    { name: 'a client of version 1', input: `0b${rest}`, want: true },
    { name: 'a server that is not synchronised', input: `e4${rest}`, want: true },
    { name: 'broadcast', input: `25${rest}`, want: true },
    { name: 'with a key', input: `23${rest}${'00'.repeat(20)}`, want: true },
    { name: 'monlist (mode 7)', input: `17${rest}`, want: false },
    { name: 'a control message (mode 6)', input: `16${rest}`, want: false },
    { name: 'mode 0', input: `20${rest}`, want: false },
    { name: 'version 0', input: `03${rest}`, want: false },
    { name: 'version 5', input: `2b${rest}`, want: false },
    { name: '47 octets', input: `23${rest.slice(2)}`, want: false },
  ])('$name', ({ input, want }) => expect(isNtp(parseHex(input))).toBe(want));
});

describe('checksums', () => {
  it('the sum of RFC 1071 section 3', () => expect(sumWords(parseHex('0001f203f4f5f6f7'))).toBe(0xddf2));
  it('is the complement', () => expect(finishChecksum(0xddf2)).toBe(0x220d));
  it.each([
    { name: 'zeros', input: '00'.repeat(32), want: 0x8a9136aa },
    { name: 'ones', input: 'ff'.repeat(32), want: 0x62a8ab43 },
  ])('CRC-32C of RFC 3720 appendix B.4: $name', ({ input, want }) => expect(crc32c(parseHex(input))).toBe(want));
});
