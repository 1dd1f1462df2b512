import { readFileSync } from 'node:fs';
import { parseHex, printHex, Writer } from '@weir/wire/bytes';
import { printIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeMessage, FAMILY_NAMES } from '../codec/index.ts';
import type { CaptureEntry } from './entry.ts';
import { readMrt } from './mrt.ts';

const file = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../../conformance/bgp/captures/${name}`, import.meta.url)));

/** One line an entry. */
function story(entries: Iterable<CaptureEntry>): readonly string[] {
  return Array.from(entries, line);
}

function line(e: CaptureEntry): string {
  switch (e.kind) {
    case 'message': {
      const j = describeMessage(e.bytes, e.context);
      const routes = [...j.announce, ...j.withdraw].map((a) => `${a.prefix}${a.pathId === undefined ? '' : ` ${a.pathId}`}`);
      return [e.source.asn, j.type, j.outcome, j.eor ?? '', ...routes].join(' ').trim();
    }
    case 'state-change':
      return `${e.from} to ${e.to}`;
    case 'unsupported':
      return `unsupported ${e.what}`;
    case 'problem':
      return `problem ${e.message}`;
  }
}

describe('what speakers dumped', () => {
  it('FRR, microseconds, add-path', () => {
    expect(story(readMrt(file('frr.mrt'))).filter((line) => /^\d+ \w+ /.test(line) && !line.includes(' to '))).toEqual([
      '64512 open accept',
      '64512 keepalive accept',
      '64512 update accept  198.51.100.0/24 2',
      '64512 update accept ipv4 unicast',
      '64512 update accept  2001:db8:1::/48 3',
    ]);
  });

  it('BIRD', () => {
    expect(story(readMrt(file('bird.mrt')))).toEqual([
      '1 to 3',
      '3 to 2',
      '2 to 4',
      '64513 open accept',
      '4 to 5',
      '64513 keepalive accept',
      '5 to 6',
      '64513 update accept  203.0.113.7/32 2',
      '64513 update accept ipv6 unicast',
      '64513 update accept ipv4 unicast',
      '64513 notification accept',
      '6 to 1',
    ]);
  });

  it('FRR, a table with a route of its own, whose next hop is no host', () => {
    expect(story(readMrt(file('frr-table.mrt')))).toEqual(['0 update treat-as-withdraw  203.0.113.7/32']);
  });
});

function record(type: number, subtype: number, body: string): Uint8Array {
  const bytes = parseHex(body);
  return new Writer().u32(1000).u16(type).u16(subtype).u32(bytes.length).bytes(bytes).finish();
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const w = new Writer();
  for (const part of parts) w.bytes(part);
  return w.finish();
}

const KEEPALIVE = `${'ff'.repeat(16)}001304`;
const ENDS2 = 'fc01 fc00 0000 0001 c0000201 c0000202';
const ENDS4 = '0000fc01 0000fc00 0000 0001 c0000201 c0000202';
const ENDS6 = `0000fc00 0000fc00 0000 0002 ${'20010db8000000000000000000000001'} ${'20010db8000000000000000000000002'}`;

describe('BGP4MP', () => {
  it.each([
    { name: 'MESSAGE', subtype: 1, ends: ENDS2, as4: false, addPath: 0, from: '192.0.2.1', session: 'ebgp' },
    { name: 'MESSAGE_AS4', subtype: 4, ends: ENDS4, as4: true, addPath: 0, from: '192.0.2.1', session: 'ebgp' },
    { name: 'MESSAGE_LOCAL', subtype: 6, ends: ENDS2, as4: false, addPath: 0, from: '192.0.2.2', session: 'ebgp' },
    { name: 'MESSAGE_AS4_LOCAL', subtype: 7, ends: ENDS4, as4: true, addPath: 0, from: '192.0.2.2', session: 'ebgp' },
    { name: 'MESSAGE_ADDPATH', subtype: 8, ends: ENDS2, as4: false, addPath: FAMILY_NAMES.length, from: '192.0.2.1', session: 'ebgp' },
    { name: 'MESSAGE_AS4_ADDPATH', subtype: 9, ends: ENDS4, as4: true, addPath: FAMILY_NAMES.length, from: '192.0.2.1', session: 'ebgp' },
    {
      name: 'MESSAGE_LOCAL_ADDPATH',
      subtype: 10,
      ends: ENDS2,
      as4: false,
      addPath: FAMILY_NAMES.length,
      from: '192.0.2.2',
      session: 'ebgp',
    },
    {
      name: 'MESSAGE_AS4_LOCAL_ADDPATH',
      subtype: 11,
      ends: ENDS4,
      as4: true,
      addPath: FAMILY_NAMES.length,
      from: '192.0.2.2',
      session: 'ebgp',
    },
    { name: 'MESSAGE_AS4, IPv6, internal', subtype: 4, ends: ENDS6, as4: true, addPath: 0, from: '2001:db8::1', session: 'ibgp' },
  ])('$name', ({ subtype, ends, as4, addPath, from, session }) => {
    for (const [type, extra, time] of [
      [16, '', 1000e6],
      [17, '00000007', 1000e6 + 7],
    ] as const) {
      const [entry] = readMrt(record(type, subtype, `${extra} ${ends} ${KEEPALIVE}`));
      if (entry?.kind !== 'message') throw new Error('no message');
      expect(entry).toMatchObject({ time, offset: 0, synthetic: false, context: { fourOctetAs: as4, peerKind: session } });
      expect(entry.context.addPath.length).toBe(addPath);
      expect(printIp(entry.source.address)).toBe(from);
      expect(printHex(entry.bytes)).toBe(KEEPALIVE);
    }
  });

  it('an ADDPATH record of a speaker whose OPEN offers it for one family means that family', () => {
    const open = `${'ff'.repeat(16)} 0025 01 04 fc01 005a c0000201 08 02 06 45 04 00010102`;
    const entries = [...readMrt(concat(record(16, 4, `${ENDS4} ${open}`), record(16, 9, `${ENDS4} ${KEEPALIVE}`)))];
    expect(entries.map((e) => e.kind === 'message' && e.context.addPath)).toEqual([[], ['ipv4 unicast']]);
  });

  it('kinds that are not read are named', () => {
    expect(story(readMrt(concat(record(16, 99, ''), record(11, 0, ''), record(13, 6, ''), record(12, 1, ''))))).toEqual([
      'unsupported BGP4MP subtype 99',
      'unsupported MRT type 11 subtype 0',
      'unsupported TABLE_DUMP_V2 subtype 6',
      'unsupported MRT type 12 subtype 1',
    ]);
  });

  it('a broken record is a problem and the next one is read', () => {
    expect(story(readMrt(concat(record(16, 4, '0000'), record(16, 4, `${ENDS4} ${KEEPALIVE}`))))).toEqual([
      'problem peer AS: needs 4 bytes, 2 left',
      '64513 keepalive accept',
    ]);
  });
});

describe('TABLE_DUMP_V2', () => {
  const peers = record(13, 1, 'c0000203 0000 0002 00 c0000201 c0000201 fc01 03 c0000202 20010db8000000000000000000000002 fa56ea00');
  const attributes = '40010100 4002060201 0000fc01 400304c0000201';
  const reach = '40010100 4002060201 0000fc01';

  it.each([
    {
      name: 'IPv4',
      subtype: 2,
      body: `00000001 18 c63364 0001 0000 00000005 0014 ${attributes}`,
      want: '64513 update accept  198.51.100.0/24',
    },
    {
      name: 'IPv6 with a short MP_REACH_NLRI',
      subtype: 4,
      body: `00000001 30 20010db80001 0001 0001 00000005 0021 ${reach} 800e11 10 20010db8000000000000000000000002`,
      want: '4200000000 update accept  2001:db8:1::/48',
    },
    {
      name: 'IPv6 with a whole MP_REACH_NLRI',
      subtype: 4,
      body: `00000001 30 20010db80001 0001 0001 00000005 002c ${reach} 800e1c 000201 10 20010db8000000000000000000000002 00 30 20010db80001`,
      want: '4200000000 update accept  2001:db8:1::/48',
    },
    {
      name: 'IPv4 add-path',
      subtype: 8,
      body: `00000001 18 c63364 0001 0000 00000005 00000009 0014 ${attributes}`,
      want: '64513 update accept  198.51.100.0/24 9',
    },
    {
      name: 'a peer that is not in the table',
      subtype: 2,
      body: '00000001 18 c63364 0001 0009 00000005 0000',
      want: 'problem peer that is not in the table of peers',
    },
    { name: 'prefix of 33 bits', subtype: 2, body: '00000001 21 c633640000 0000', want: 'problem prefix length 33' },
  ])('$name', ({ subtype, body, want }) => {
    expect(story(readMrt(concat(peers, record(13, subtype, body))))).toEqual([want]);
  });

  it('an entry that became an UPDATE says so and has the time of its route', () => {
    const [entry] = readMrt(concat(peers, record(13, 2, `00000001 18 c63364 0001 0000 00000005 0014 ${attributes}`)));
    expect(entry).toMatchObject({ kind: 'message', synthetic: true, time: 5e6 });
  });
});

describe('damage', () => {
  const whole = concat(file('frr.mrt'), file('bird.mrt'), file('frr-table.mrt'));

  it('cut anywhere it throws nothing', () => {
    for (let k = 0; k < whole.length; k++) expect([...readMrt(whole.subarray(0, k))].length).toBeLessThan(100);
  });

  it('random changes make it throw nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 30 }), (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        for (const e of readMrt(bytes)) if (e.kind === 'message') describeMessage(e.bytes, e.context);
      }),
    );
  });
});
