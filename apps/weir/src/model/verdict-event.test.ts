import { type Ip, ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testEvent } from './test-event.ts';
import { EVENT_HOOKS, EVENT_VERDICTS, type VerdictEvent } from './verdict-event.ts';
import { decodeVerdictEvent, encodeVerdictEvent } from './verdict-event-codec.ts';
import { EVENT_AT, EVENT_FIELDS, EVENT_OCTETS } from './verdict-event-layout.ts';

const u32 = (min = 0): fc.Arbitrary<number> => fc.integer({ min, max: 0xffff_ffff });
const u64 = (): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const port = fc.integer({ min: 0, max: 65_535 });
const octet = fc.integer({ min: 0, max: 255 });
const addresses: fc.Arbitrary<{ readonly source?: Ip; readonly destination?: Ip }> = fc.oneof(
  fc.constant({}),
  fc.record({ source: u32().map(ip4), destination: u32().map(ip4) }),
  fc.record({
    source: fc.tuple(u32(), u32(), u32(), u32()).map((words) => ip6(...words)),
    destination: fc.tuple(u32(), u32(), u32(), u32()).map((words) => ip6(...words)),
  }),
);
const events: fc.Arbitrary<VerdictEvent> = fc
  .tuple(
    fc.record({
      time: u64(),
      from: fc.constantFrom('ebpf' as const, 'nflog' as const),
      hook: fc.constantFrom(...EVENT_HOOKS),
      rule: u32(),
      generation: u32(),
      scope: port,
      verdict: fc.constantFrom(...EVENT_VERDICTS),
      audit: fc.boolean(),
      length: u32(),
    }),
    addresses,
    fc.oneof(fc.constant({}), fc.record({ sourcePort: port, destinationPort: port })),
    fc.record(
      {
        protocol: octet,
        tcpFlags: octet,
        input: u32(1),
        output: u32(1),
        pid: u32(),
        uid: u32(),
        cgroup: u64(),
        process: fc.stringMatching(/^[ -~]{1,15}$/),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([base, ...rest]) => Object.assign({}, base, ...rest) as VerdictEvent);

function encoded(event: VerdictEvent): Uint8Array {
  const bytes = new Uint8Array(EVENT_OCTETS).fill(0xaa);
  encodeVerdictEvent(new DataView(bytes.buffer), 0, event);
  return bytes;
}

describe('the record of a verdict event', () => {
  it('has fields that follow each other without a gap, each where its size wants it', () => {
    let end = 0;
    for (const { at, size } of EVENT_FIELDS) {
      expect(at).toBe(end);
      expect(at % Math.min(size, 8)).toBe(0);
      end = at + size;
    }
    // Records in a ring buffer are multiples of 8 octets.
    expect([end, EVENT_OCTETS % 8]).toEqual([EVENT_OCTETS, 0]);
  });

  it('as octets', () => {
    const event = testEvent({ time: 0x1122334455667788n, rule: 7, generation: 42, scope: 3, audit: true, input: 4 });
    // By hand, from the table of fields.
    expect(Buffer.from(encoded(event)).toString('hex')).toBe(
      '8877665544332211' +
        '07000000' +
        '2a000000' +
        '3c000000' +
        '04000000' +
        '00000000' +
        '00000000' +
        '0000000000000000' +
        '00000000' +
        'c7380016' +
        '05040602' +
        '27020300' +
        'cb007109000000000000000000000000' +
        'c0000205000000000000000000000000' +
        '00000000000000000000000000000000',
    );
  });

  it('comes back as it was', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 3 }), (event, at) => {
        const bytes = new Uint8Array(EVENT_OCTETS + 8 * at);
        const view = new DataView(bytes.buffer);
        encodeVerdictEvent(view, 8 * at, event);
        expect(decodeVerdictEvent(view, 8 * at)).toEqual(event);
      }),
    );
  });

  it('that is any octets is none, or one that comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: EVENT_OCTETS, maxLength: EVENT_OCTETS }), fc.boolean(), (bytes, mend) => {
        if (mend)
          bytes.set(
            [1 + (bytes[EVENT_AT.hook]! % 7), [0, 4, 6][bytes[EVENT_AT.family]! % 3]!, 6, 1 + (bytes[EVENT_AT.verdict]! % 6)],
            EVENT_AT.hook,
          );
        const event = decodeVerdictEvent(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
        if (mend) expect(event).toBeDefined();
        if (event) expect(decodeVerdictEvent(new DataView(encoded(event).buffer))).toEqual(event);
      }),
    );
  });

  it('that is cut short is none', () => {
    const bytes = encoded({
      time: 1n,
      from: 'ebpf',
      hook: 'tc',
      rule: 0,
      generation: 0,
      scope: 0,
      verdict: 'log',
      audit: false,
      length: 20,
    });
    for (let length = 0; length < EVENT_OCTETS; length++) expect(decodeVerdictEvent(new DataView(bytes.buffer, 0, length))).toBeUndefined();
    expect(decodeVerdictEvent(new DataView(bytes.buffer))).toBeDefined();
  });
});
