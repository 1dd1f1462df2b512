import { buildFragments, buildPacket, Packet, type PacketDescription } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { parseHex, printHex } from '@weir/wire/bytes';
import { LINKTYPE_RAW } from '@weir/wire/capture';
import { ip } from '@weir/wire/inet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AtHook, HookView, type NotJudged } from './at-hook.ts';
import { WaitingFragments } from './fragments.ts';
import { forwarded, locallySent } from './rewrite.ts';

const description = (more: Partial<PacketDescription> = {}): PacketDescription => ({
  source: ip('192.0.2.1'),
  destination: ip('198.51.100.1'),
  transport: { kind: 'udp', sourcePort: 5, destinationPort: 53, payload: new Uint8Array(40) },
  ...more,
});
const v6 = { source: ip('2001:db8::1'), destination: ip('2001:db8::2') };

function see(hook: Hook, packets: readonly Uint8Array[], assembles = true): readonly (AtHook | NotJudged)[] {
  const view = new HookView({ hook, context: { iif: 'in0' }, assembles: { 4: assembles, 6: assembles } });
  return packets.map((bytes) => view.push(Packet.fromCapture(bytes, LINKTYPE_RAW) as Packet, 0));
}

const obstacles: readonly { name: string; hook: Hook; input: Partial<PacketDescription>; want: string | undefined }[] = [
  { name: 'a packet', hook: 'input', input: {}, want: undefined },
  { name: 'a wrong checksum', hook: 'prerouting', input: { wrong: { checksum: 1 } }, want: 'the kernel refuses it: checksum' },
  { name: 'a wrong checksum, which is written when it is sent', hook: 'output', input: { wrong: { checksum: 1 } }, want: undefined },
  {
    name: 'a wrong header length',
    hook: 'output',
    input: { wrong: { headerLength: 3 } },
    want: 'its header is broken: this machine would not send it',
  },
  { name: 'a source of multicast', hook: 'input', input: { source: ip('224.0.0.9') }, want: 'martian source address' },
  { name: 'the same before routing', hook: 'prerouting', input: { source: ip('224.0.0.9') }, want: undefined },
  { name: 'DHCP', hook: 'input', input: { source: ip('0.0.0.0'), destination: ip('255.255.255.255') }, want: undefined },
  { name: 'no source', hook: 'input', input: { source: ip('0.0.0.0') }, want: 'martian source address' },
  {
    name: 'IGMP without a source',
    hook: 'input',
    input: { source: ip('0.0.0.0'), destination: ip('239.1.1.1'), transport: { kind: 'raw', protocol: 2 } },
    want: undefined,
  },
  { name: 'to network 0', hook: 'input', input: { destination: ip('0.0.0.1') }, want: 'martian destination address' },
  { name: 'the last hop', hook: 'forward', input: { ttl: 1 }, want: 'its hops are used up' },
  { name: 'multicast', hook: 'forward', input: { destination: ip('239.1.1.1') }, want: 'multicast is not forwarded' },
  { name: 'broadcast', hook: 'forward', input: { destination: ip('255.255.255.255') }, want: 'broadcast is not forwarded' },
  { name: 'link-local', hook: 'forward', input: { ...v6, source: ip('fe80::1') }, want: 'link-local addresses are not forwarded' },
  { name: 'IPv6 without a source', hook: 'forward', input: { ...v6, source: ip('::') }, want: 'it has no source address' },
  {
    name: 'extension headers that end late',
    hook: 'input',
    input: { ...v6, extensions: [{ kind: 'destination-options' }], cut: 45 },
    want: 'it ends within its extension headers, which the kernel cannot report on',
  },
];

test.each(obstacles)('$name at $hook', ({ hook, input, want }) => {
  const [seen] = see(hook, [buildPacket(description(input))]);
  expect(seen).toMatchObject({ kind: 'at-hook', obstacle: want });
});

test.each([4, 6] as const)('fragments of IPv%d are one packet where they are put together', (family) => {
  const whole = description({ id: 7, dontFragment: false, ...(family === 6 ? v6 : {}) });
  const fragments = buildFragments(whole, 16);
  expect(fragments.length).toBe(3);
  const seen = see('input', fragments);
  expect(seen.map(({ kind }) => kind)).toEqual(['not-judged', 'not-judged', 'at-hook']);
  const last = seen[2] as AtHook;
  expect(last.sent.map(printHex)).toEqual(fragments.map(printHex));
  expect(last.packet.field('udp.dstport')).toBe(53);
  expect(last.packet.context.iif).toBe('in0');
  expect(see('input', fragments, false).map(({ kind }) => kind)).toEqual(['at-hook', 'at-hook', 'at-hook']);
});

test('a packet in very many fragments is judged, but not sent', () => {
  const transport = { kind: 'udp', sourcePort: 5, destinationPort: 53, payload: new Uint8Array(6000) } as const;
  const seen = see('input', buildFragments(description({ id: 9, transport }), 8)).at(-1) as AtHook;
  expect([seen.packet.field('udp.dstport'), seen.sent.length, seen.obstacle]).toEqual([53, 0, 'it came in more than 500 fragments']);
});

test('fragments of two packets that come in between', () => {
  const [a, b] = [buildFragments(description({ id: 1 }), 24), buildFragments(description({ id: 2 }), 24)];
  const mixed = [a[0], b[0], a[1], b[1]].filter((one) => one !== undefined);
  const [, , third, fourth] = see('prerouting', mixed) as AtHook[];
  expect(third?.sent.map(printHex)).toEqual(a.map(printHex));
  expect(fourth?.sent.map(printHex)).toEqual(b.map(printHex));
});

test('a fragment that contradicts the others', () => {
  const fragments = buildFragments(description({ id: 3 }), 16);
  const [first, , last] = fragments as [Uint8Array, Uint8Array, Uint8Array];
  const other = last.slice();
  other.set([0x20, 1], 6);
  const seen = see('input', [
    first,
    buildPacket(
      description({ id: 3, fragment: { offset: 1, more: true }, transport: { kind: 'raw', protocol: 17, payload: new Uint8Array(16) } }),
    ),
  ]);
  expect(seen[1]).toMatchObject({ kind: 'at-hook', obstacle: 'a fragment that does not fit the others' });
});

test('padding is cut off, what the capture cut is missing', () => {
  const packet = buildPacket(description());
  const padded = new Uint8Array(packet.length + 6);
  padded.set(packet);
  const view = new HookView({ hook: 'input', context: {}, assembles: { 4: true, 6: true } });
  const [whole, part] = [
    Packet.fromCapture(padded, LINKTYPE_RAW),
    Packet.fromCapture(packet.subarray(0, 24), LINKTYPE_RAW, { wireLength: packet.length }),
  ];
  expect((view.push(whole as Packet, 0) as AtHook).sent.map(printHex)).toEqual([printHex(packet)]);
  const seen = view.push(part as Packet, 0) as AtHook;
  expect(seen).toMatchObject({ obstacle: 'the capture has only a part of it', sent: [] });
  expect([seen.packet.field('udp.dstport'), seen.packet.field('udp.length'), seen.packet.field('meta.len')]).toEqual([53, undefined, 68]);
});

test('what is forwarded has one hop less, and its checksum', () => {
  const packet = buildPacket(description({ ttl: 9 }));
  expect(printHex(forwarded(packet))).toBe(printHex(buildPacket(description({ ttl: 8 }))));
  expect(printHex(forwarded(buildPacket(description({ ...v6, ttl: 9 }))))).toBe(printHex(buildPacket(description({ ...v6, ttl: 8 }))));
  expect((see('forward', [packet])[0] as AtHook).packet.field('ip.ttl')).toBe(8);
});

test('what is sent has a length, an identification and a source', () => {
  const transport = { kind: 'udp', sourcePort: 5, destinationPort: 53, checksum: 7 } as const;
  const wrong = buildPacket(description({ source: ip('0.0.0.0'), id: 0, wrong: { length: 999 }, transport }));
  expect(printHex(locallySent(wrong))).toBe(printHex(buildPacket(description({ id: 1, transport }))));
  const [toSelf] = see('output', [buildPacket(description({ destination: ip('0.0.0.0') }))]);
  expect((toSelf as AtHook).packet.context.oif).toBe('lo');
});

test('no octets make it throw, and what it would send is what there is', () => {
  const hooks = fc.constantFrom<Hook>('prerouting', 'input', 'forward', 'output');
  const start = fc.constantFrom('', '45', '4500002000012000', '60000000', '6000000000102c40', '600000000010003c');
  const packets = fc.array(fc.tuple(start, fc.uint8Array({ maxLength: 90 })), { maxLength: 6 });
  fc.assert(
    fc.property(hooks, packets, fc.nat(20), (hook, list, more) => {
      const view = new HookView({ hook, context: {}, assembles: { 4: true, 6: true } });
      for (const [head, rest] of list) {
        const bytes = Uint8Array.of(...parseHex(head), ...rest);
        const seen = view.push(Packet.fromCapture(bytes, LINKTYPE_RAW, { wireLength: bytes.length + more }) as Packet, 0);
        if (seen.kind === 'not-judged') continue;
        expect(seen.sent.every((one) => one.length <= bytes.length || seen.sent.length > 1)).toBe(true);
        seen.packet.field('tcp.dstport');
      }
    }),
  );
});

test('fragments whose packets never are complete do not gather', () => {
  const waiting = new WaitingFragments();
  for (let i = 0; i < 3000; i++) waiting.add(`${i}`, new Uint8Array(1));
  expect([waiting.take('0').length, waiting.take('2999').length]).toEqual([0, 1]);
  waiting.add('large', new Uint8Array(5 << 20));
  expect(waiting.take('large').length).toBe(0);
});
