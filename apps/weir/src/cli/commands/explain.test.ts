import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPacket, TCP_FLAGS } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { encodePcap, LINKTYPE_RAW } from '@weir/wire/capture';
import { parseIp } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

let directory = '';
let policy = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-explain-'));
  policy = join(directory, 'policy.yaml');
  writeFileSync(
    policy,
    `default_action: deny
rules:
  - { name: mark, priority: 5, action: mark, mark: 7, protocol: udp }
  - { name: marked, priority: 6, action: reject, expression: 'meta.mark == 7 and ip.src in {198.51.100.0/24}' }
  - { name: web, priority: 20, action: allow, protocol: tcp, destination_ports: [80, 443] }
`,
  );
});

afterEach(() => rmSync(directory, { recursive: true }));

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo();
  const code = await runProgram(['explain', '-f', policy, ...args], io, {});
  return { code, out: io.stdout.replaceAll(directory, ''), err: io.stderr };
}

const words = (text: string): string[] => text.split(' ');

test('each rule up to the deciding one, and why', async () => {
  const { code, out } = await run(...words('tcp 198.51.100.7 192.0.2.1:443 in eth0'));
  expect(code).toBe(0);
  expect(out).toMatchInlineSnapshot(`
    "tcp 198.51.100.7:50000 -> 192.0.2.1:443 SYN in eth0
    input:
      - base loopback allow: iif.name is "eth0", not iif.name == "lo"
      - base neighbour discovery allow: ip.ttl is 64, not ip.ttl == 255
      - base multicast listener allow: ip.ttl is 64, not ip.ttl == 1
      - base dhcp client allow: udp.srcport is missing, not udp.srcport == 67
      - base dhcp client allow: ip.src is 198.51.100.7, not ip.src in {fe80::/10}
      - established allow: ct.established is false, ct.related is false
      - base path mtu allow: icmp.type is missing, not icmp.type == 3
      - base path mtu allow: icmp.type is missing, not icmp.type in {11..12}
      - base path mtu allow: icmpv6.type is missing, not icmpv6.type in {2..4}
      - mark#5 mark 0x7 (/policy.yaml:3): ip.proto.num is 6, not ip.proto == "udp"
      - marked#6 reject with port-unreachable (/policy.yaml:4): meta.mark is 0, not meta.mark == 7
      > web#20 allow (/policy.yaml:5): tcp.dstport is 443
          tcp.dstport in {80 443}
      ALLOW BY web#20
    "
  `);
});

test('marks of earlier rules are seen', async () => {
  const { out } = await run(...words('udp 198.51.100.7 192.0.2.1:53 in eth0'));
  expect(out.split('\n').slice(-8)).toMatchInlineSnapshot(`
    [
      "  - base path mtu allow: icmp.type is missing, not icmp.type in {11..12}",
      "  - base path mtu allow: icmpv6.type is missing, not icmpv6.type in {2..4}",
      "  + mark#5 mark 0x7 (/policy.yaml:3): ip.proto.num is 17",
      "      ip.proto == "udp"",
      "  > marked#6 reject with port-unreachable (/policy.yaml:4): meta.mark is 7, ip.src is 198.51.100.7",
      "      meta.mark == 7 and ip.src in {198.51.100.0/24}",
      "  REJECT BY marked#6",
      "",
    ]
  `);
});

test('what is expected decides the exit code', async () => {
  expect((await run('--expect', 'deny', ...words('tcp 198.51.100.7 192.0.2.1:22 in eth0'))).code).toBe(0);
  expect(await run('--expect', 'allow', ...words('tcp 198.51.100.7 192.0.2.1:22 in eth0'))).toMatchObject({
    code: 2,
    err: 'the packet is not judged as expected (allow)\n',
  });
});

test('as JSON', async () => {
  const { out } = await run('-o', 'json', ...words('tcp 198.51.100.7 192.0.2.1:22 in eth0'));
  const answer = JSON.parse(out);
  expect(answer).toMatchObject({
    format_version: 1,
    packets: [{ verdict: 'deny', hooks: [{ hook: 'input', verdict: 'deny', rule: { ref: '<default>' } }] }],
  });
  expect(answer.packets[0].hooks[0].rules.at(-2)).toMatchObject({
    name: 'web',
    matches: false,
    why: ['tcp.dstport is 22, not tcp.dstport in {80 443}'],
  });
});

test('hex and captures', async () => {
  const bytes = buildPacket({
    source: parseIp('198.51.100.7')!,
    destination: parseIp('192.0.2.1')!,
    transport: { kind: 'tcp', sourcePort: 1, destinationPort: 80, flags: TCP_FLAGS.syn },
  });
  expect((await run('--hex', printHex(bytes), '--iif', 'eth0', '--expect', 'allow')).code).toBe(0);
  const file = join(directory, 'x.pcap');
  writeFileSync(file, encodePcap(LINKTYPE_RAW, [{ bytes }, { bytes }]));
  const { code, out } = await run('--pcap', file, '--iif', 'eth0', '--expect', 'allow');
  expect([code, out.match(/ALLOW BY web#20/g)?.length]).toEqual([0, 2]);
  writeFileSync(file, 'nothing');
  expect(await run('--pcap', file)).toMatchObject({ code: 2, err: expect.stringContaining('is no capture') });
});

test.each([
  [[], 'a packet is needed, once: in words, with --hex, or with --pcap'],
  [['tcp', 'x', 'y'], 'x is no address'],
  [['--hex', 'zz'], '--hex takes pairs of hexadecimal digits'],
])('%j is refused', async (args, message) => {
  expect(await run(...args)).toMatchObject({ code: 64, err: expect.stringContaining(message) });
});
