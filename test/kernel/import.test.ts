import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPacket, type PacketDescription, TCP_FLAGS } from '@weir/filter/packet';
import { type Ip, parseIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Imported, importPrograms, readRuleset, readSave } from '../../apps/weir/src/sources/import/index.ts';
import { loadImported } from '../../apps/weir/src/sources/import/test-policy.ts';
import { anyPacket, anyRuleset, type ModelPacket, modelBytes, printRuleset } from '../../conformance/import/iptables-model.ts';
import { Random } from '../e2e/random.ts';
import { Lab } from '../lab/index.ts';
import { ImportBed, INTERFACES, type Sent } from './import-bed.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/import');
const example = (name: string): string => readFileSync(join(EXAMPLES, name), 'utf8');
/** CI runs so many; more by hand. */
const RULESETS = Number(process.env['WEIR_IMPORT_RULESETS'] ?? 10);
const PACKETS = 400;

interface Pair {
  readonly original: ImportBed;
  readonly imported: ImportBed;
}

let lab: Lab;
const pairs = new Map<'input' | 'forward', Pair>();

beforeAll(async () => {
  lab = new Lab();
  for (const hook of ['input', 'forward'] as const) {
    pairs.set(hook, { original: await ImportBed.open(lab, `${hook}-a`, hook), imported: await ImportBed.open(lab, `${hook}-b`, hook) });
  }
});
afterAll(async () => {
  for (const { original, imported } of pairs.values()) {
    original.close();
    imported.close();
  }
  await lab.dispose();
});

/** Sends the same packets through both and returns how many of each verdict there were; throws at the first difference. */
async function compare(
  pair: Pair,
  packets: readonly Sent[],
  describePacket: (i: number) => string,
): Promise<{ passed: number; dropped: number }> {
  const want = await pair.original.send(packets);
  const got = await pair.imported.send(packets);
  const counts = { passed: 0, dropped: 0 };
  for (let i = 0; i < packets.length; i++) {
    if (want[i] !== got[i]) {
      const rules = await pair.imported.host.nftList('table', 'inet', 'weir_imported');
      throw new Error(`packet ${i}: the original ${word(want[i])}, the import ${word(got[i])}: ${describePacket(i)}\n${rules}`);
    }
    if (want[i] !== undefined) counts[want[i] ? 'passed' : 'dropped']++;
  }
  return counts;
}

function word(passed: boolean | undefined): string {
  return passed === undefined ? 'does not see it' : passed ? 'lets it through' : 'drops it';
}

async function loadBoth(pair: Pair, loadOriginal: () => Promise<unknown>, imported: Imported): Promise<void> {
  await pair.original.clear();
  await loadOriginal();
  await pair.imported.clear();
  await pair.imported.load(loadImported(imported));
}

function restore(bed: ImportBed, text: string, tool = 'iptables-restore'): Promise<unknown> {
  return bed.host.exec(tool, ['--noflush'], { input: text });
}

function pairOf(hook: 'input' | 'forward'): Pair {
  const pair = pairs.get(hook);
  if (!pair) throw new Error(`no bed for ${hook}`);
  return pair;
}

describe('files of iptables-save', () => {
  const files = ['web-server.v4', 'router-nat.v4', 'kube-proxy.v4', 'fail2ban.v4', 'docker.v4'];
  test.each(files)('%s is one that iptables-restore takes', async (name) => {
    await pairOf('input').original.host.exec('iptables-restore', ['--test'], { input: example(name) });
  });

  // Rates and logs are left out of what is compared with the kernel: how many packets are under a rate is not told by the packets.
  const rows = files.flatMap((name) => (['input', 'forward'] as const).map((hook) => ({ name, hook })));
  test.each(rows)('$name imported decides at hook $hook as the original does', async ({ name, hook }) => {
    const pair = pairOf(hook);
    const filtered = withoutTable(example(name), 'nat')
      .split('\n')
      .filter((line) => !/ -m (limit|hashlimit) /.test(line))
      .join('\n');
    const untranslatable = importPrograms([readSave(filtered, name, 4)], [name]);
    // What the import leaves out is left out of the original as well, so that the rest can be compared.
    const lost = new Set(untranslatable.entries.filter((e) => e.status === 'unsupported').map((e) => e.line));
    const original = filtered
      .split('\n')
      .filter((_, i) => !lost.has(i + 1))
      .join('\n');
    await loadBoth(pair, () => restore(pair.original, original), importPrograms([readSave(original, name, 4)], [name]));
    const random = new Random(7);
    const packets = Array.from({ length: 3000 }, () => randomPacket(random, [4]));
    const counts = await compare(
      pair,
      packets.map(({ sent }) => sent),
      (i) => JSON.stringify(packets[i]?.description),
    );
    expect(counts.passed + counts.dropped).toBeGreaterThan(2000);
  });

  test('both families together are one policy', async () => {
    const pair = pairOf('input');
    const clean = (name: string): string =>
      example(name)
        .split('\n')
        .filter((line) => !/ -m limit /.test(line))
        .join('\n');
    const imported = importPrograms([readSave(clean('web-server.v4'), 'v4', 4), readSave(clean('web-server.v6'), 'v6', 6)], ['v4', 'v6']);
    await loadBoth(
      pair,
      async () => {
        await restore(pair.original, clean('web-server.v4'));
        await restore(pair.original, clean('web-server.v6'), 'ip6tables-restore');
      },
      imported,
    );
    const random = new Random(11);
    const packets = Array.from({ length: 4000 }, () => randomPacket(random, [4, 6]));
    const counts = await compare(
      pair,
      packets.map(({ sent }) => sent),
      (i) => JSON.stringify(packets[i]?.description),
    );
    expect(counts.passed).toBeGreaterThan(50);
    expect(counts.dropped).toBeGreaterThan(1000);
  });
});

describe('random rulesets', () => {
  test.each([
    { hook: 'input' as const, tool: 'iptables-restore' },
    { hook: 'forward' as const, tool: 'iptables-restore' },
    { hook: 'input' as const, tool: 'iptables-legacy-restore' },
  ])('loaded by $tool at hook $hook', { timeout: 300_000 }, async ({ hook, tool }) => {
    const pair = pairOf(hook);
    const seed = Number(process.env['WEIR_IMPORT_SEED'] ?? 20_260_105);
    const sets = fc.sample(anyRuleset(), { numRuns: RULESETS, seed });
    const total = { passed: 0, dropped: 0 };
    for (const [at, set] of sets.entries()) {
      const text = printRuleset(set, hook === 'input' ? 'INPUT' : 'FORWARD');
      await loadBoth(
        pair,
        () => pair.original.host.exec(tool, [], { input: text }),
        importPrograms([readSave(text, 'rules.v4', 4)], ['rules.v4']),
      );
      const models = fc.sample(anyPacket, { numRuns: PACKETS, seed: seed + at });
      const counts = await compare(pair, models.map(sentOf), (i) => `${JSON.stringify(models[i])}\n${text}`);
      total.passed += counts.passed;
      total.dropped += counts.dropped;
      if (tool.includes('legacy')) await pair.original.host.exec('iptables-legacy', ['-F']);
    }
    if (tool.includes('legacy'))
      await pair.original.host.exec('iptables-legacy-restore', [], {
        input: '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n',
      });
    expect(total.passed).toBeGreaterThan(RULESETS * 50);
    expect(total.dropped).toBeGreaterThan(RULESETS * 50);
  });
});

describe('rulesets of nft', () => {
  test('border.nft, listed as JSON by nft, imported, decides as the original does', async () => {
    const pair = pairOf('forward');
    await pair.original.clear();
    await pair.original.host.nft(example('border.nft'));
    const { stdout } = await pair.original.host.exec('nft', ['-j', 'list', 'table', 'inet', 'border']);
    const imported = importPrograms([readRuleset(stdout, 'border.json')], ['border.json']);
    expect(imported.entries.filter((e) => e.status !== 'translated' && e.status !== 'nothing')).toEqual([]);
    expect(JSON.parse(example('border.json'))).toBeTruthy();
    await pair.imported.clear();
    await pair.imported.load(loadImported(imported));
    const random = new Random(3);
    const packets = Array.from({ length: 12_000 }, () => randomPacket(random, [4, 6]));
    const counts = await compare(
      pair,
      packets.map(({ sent }) => sent),
      (i) => JSON.stringify(packets[i]?.description),
    );
    expect(counts.passed).toBeGreaterThan(1000);
    expect(counts.dropped).toBeGreaterThan(1000);
  });
});

test('several base chains of one hook follow each other', async () => {
  const pair = pairOf('forward');
  const chain = (name: string, priority: number, policy: string, rules: string): string =>
    `chain ${name} {\n type filter hook forward priority ${priority}; policy ${policy};\n ${rules}\n }\n`;
  const text = `table inet two {
    chain sub { tcp dport 22 return; ip ttl < 4 drop; udp sport 53 accept; }
    ${chain('a', -20, 'drop', 'tcp dport { 22, 80, 443 } jump sub\n udp dport 53 accept\n meta mark set 3\n ip6 saddr 2001:db8::/32 goto sub\n ip saddr 192.0.2.0/24 accept\n tcp sport 80 accept')}
    ${chain('b', 5, 'accept', 'meta mark 3 tcp dport 443 drop\n ip daddr 203.0.113.0/25 drop')}
  }
  table ip only4 {
    ${chain('c', 10, 'drop', 'ip protocol tcp accept\n udp dport 53 accept')}
  }`;
  await pair.original.clear();
  await pair.original.host.nft(text.replaceAll('; }', ';\n}').replaceAll('{ tcp dport 22 return', '{\n tcp dport 22 return'));
  const { stdout } = await pair.original.host.exec('nft', ['-j', 'list', 'ruleset']);
  const listed = JSON.parse(stdout) as { nftables: readonly Record<string, { table?: string; name?: string }>[] };
  const ours = listed.nftables.filter((o) => Object.values(o).every((v) => ['two', 'only4'].includes(v.table ?? v.name ?? '')));
  const imported = importPrograms([readRuleset(JSON.stringify({ nftables: ours }), 'two.json')], ['two.json']);
  expect(imported.entries.filter((e) => e.status !== 'translated')).toEqual([]);
  await pair.imported.clear();
  await pair.imported.load(loadImported(imported));
  const random = new Random(23);
  const packets = Array.from({ length: 4000 }, () => randomPacket(random, [4, 6]));
  const counts = await compare(
    pair,
    packets.map(({ sent }) => sent),
    (i) => JSON.stringify(packets[i]?.description),
  );
  expect(Math.min(counts.passed, counts.dropped)).toBeGreaterThan(300);
});

describe('each condition by itself', () => {
  const nft = [
    'ip saddr 192.0.2.0/26',
    'ip saddr != 192.0.2.0/26',
    'ip6 daddr != 2001:db8:20::/48',
    'ip saddr { 192.0.2.5, 198.51.100.9-198.51.100.15 }',
    'ip daddr != { 192.0.2.5, 203.0.113.0/24 }',
    'iifname "eth0"',
    'iifname != "eth*"',
    'iifname { "eth0", "wg*" }',
    'oifname "out0"',
    'oifname != "out0"',
    'tcp dport 80',
    'tcp dport != 80',
    'tcp dport { 22, 5000-9000 }',
    'tcp sport < 100',
    'udp sport >= 5062',
    'udp length > 20',
    'th dport 53',
    'meta l4proto tcp',
    'meta l4proto != tcp',
    'meta l4proto { udp, esp }',
    'ip protocol esp',
    'ip protocol != tcp',
    'ip6 nexthdr udp',
    'tcp flags syn',
    'tcp flags & (fin | syn | rst | ack) == syn',
    'tcp flags & (fin | syn) != 0',
    'tcp flags != syn',
    'tcp flags { syn, ack }',
    'icmp type echo-request',
    'icmp type != echo-request',
    'icmpv6 type { echo-request, packet-too-big }',
    'ip ttl < 4',
    'ip6 hoplimit != 63',
    'ip dscp ef',
    'ip6 dscp != ef',
    'ip length > 60',
    'ip6 length 20-60',
    'meta length > 60',
    'ct state new',
    'ct state != { established, related }',
    'ct state invalid',
    'ip frag-off & 0x1fff == 0',
    'meta mark 0',
    'meta mark & 0x5 != 0',
    'meta nfproto ipv6',
    'ip saddr . tcp dport { 192.0.2.5 . 80, 198.51.100.0/24 . 22-80 }',
    'ip6 saddr . udp dport { 2001:db8:10::1 . 53 }',
    'tcp window 65535',
    'ip hdrlength 5',
    'ip6 flowlabel 0',
  ].map((condition) => ({ tool: 'nft', condition }));
  const v4 = [
    '! -s 192.0.2.0/26',
    '-d 203.0.113.0/24',
    '-i eth+',
    '! -i wg0',
    '-o out0',
    '! -o out+',
    '-p tcp',
    '! -p tcp',
    '-p esp',
    '-p tcp --dport 80',
    '-p udp ! --dport 53:443',
    '-p tcp -m multiport --ports 22,80',
    '-p tcp -m multiport ! --dports 22,80,5000:9000',
    '-p tcp --syn',
    '-p tcp ! --syn',
    '-p tcp --tcp-flags ALL NONE',
    '-p tcp ! --tcp-flags ACK,FIN ACK',
    '-p icmp --icmp-type 8',
    '-p icmp ! --icmp-type 8',
    '-p icmp --icmp-type 3/0',
    '-p icmp ! --icmp-type 3/0',
    '-p icmp --icmp-type any',
    '-m conntrack --ctstate NEW',
    '-m state ! --state ESTABLISHED,RELATED',
    '-m mark --mark 0',
    '-m mark ! --mark 0x0/0x3',
    '-m length --length 0:60',
    '-m length ! --length 40',
    '-m ttl --ttl-lt 4',
    '-m ttl --ttl-gt 60',
    '-m dscp --dscp-class EF',
    '-m dscp ! --dscp 0',
    '-m tos --tos 0xb8/0xff',
    '-m tos ! --tos 0xb8/0xfc',
    '-m iprange --src-range 192.0.2.10-198.51.100.11',
    '-m iprange ! --dst-range 192.0.2.10-198.51.100.11',
    '-f',
    '! -f',
    '-m addrtype --dst-type MULTICAST',
  ].map((condition) => ({ tool: 'iptables-restore', condition }));
  const v6 = [
    '! -s 2001:db8:10::/48',
    '-d 2001:db8:20::/64',
    '-p udp',
    '! -p udp',
    '-p tcp ! --dport 80',
    '-p ipv6-icmp --icmpv6-type 128',
    '-p ipv6-icmp ! --icmpv6-type 128',
    '-m hl --hl-eq 63',
    '-m length --length 48:52',
    '-m conntrack --ctstate NEW',
    '-m dscp --dscp 46',
    '-m iprange --src-range 2001:db8::-2001:db8:10::5',
  ].map((condition) => ({ tool: 'ip6tables-restore', condition }));

  test.each([...nft, ...v4, ...v6])('$tool: $condition', async ({ tool, condition }) => {
    const pair = pairOf('forward');
    await pair.original.clear();
    let imported: Imported;
    if (tool === 'nft') {
      await pair.original.host.nft(
        `table inet one {\n chain c {\n type filter hook forward priority 0; policy accept;\n ${condition} drop\n }\n}`,
      );
      const { stdout } = await pair.original.host.exec('nft', ['-j', 'list', 'table', 'inet', 'one']);
      imported = importPrograms([readRuleset(stdout, 'one.json')], ['one.json']);
    } else {
      const text = `*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A FORWARD ${condition} -j DROP\nCOMMIT\n`;
      await restore(pair.original, text, tool);
      imported = importPrograms([readSave(text, 'one', tool === 'iptables-restore' ? 4 : 6)], ['one']);
    }
    expect(imported.entries.filter((e) => e.status === 'unsupported' || e.status === 'error')).toEqual([]);
    await pair.imported.clear();
    await pair.imported.load(loadImported(imported));
    const random = new Random(17);
    const packets = Array.from({ length: 600 }, () => randomPacket(random, [4, 6]));
    const { passed, dropped } = await compare(
      pair,
      packets.map(({ sent }) => sent),
      (i) => JSON.stringify(packets[i]?.description),
    );
    expect(passed + dropped).toBeGreaterThan(500);
  });
});

/** A file without one of its tables. */
function withoutTable(text: string, table: string): string {
  let skip = false;
  return text
    .split('\n')
    .map((line) => {
      if (line === `*${table}`) skip = true;
      const out = skip ? '' : line;
      if (line === 'COMMIT') skip = false;
      return out;
    })
    .join('\n');
}

function sentOf(model: ModelPacket): Sent {
  return { bytes: modelBytes(model), iif: model.iif };
}

const V4 = [
  '192.0.2.5',
  '192.0.2.10',
  '192.0.2.20',
  '192.0.2.21',
  '192.0.2.66',
  '192.0.2.200',
  '198.51.100.9',
  '198.51.100.11',
  '198.51.100.15',
  '198.51.100.23',
  '203.0.113.7',
  '203.0.113.20',
  '203.0.113.21',
  '203.0.113.129',
  '203.0.113.199',
  '203.0.113.200',
];
const V6 = ['2001:db8:10::1', '2001:db8:20::1', '2001:db8:20:1::1', '2001:db8::7', '2001:db9::1'];
const PORTS = [22, 25, 53, 80, 443, 2222, 5062, 5432, 7999, 8000, 8010, 32_100, 51_820, 60_000];
const FLAGS = [
  TCP_FLAGS.syn,
  TCP_FLAGS.syn,
  TCP_FLAGS.syn | TCP_FLAGS.ack,
  TCP_FLAGS.ack,
  TCP_FLAGS.rst,
  0,
  TCP_FLAGS.fin | TCP_FLAGS.psh | TCP_FLAGS.urg,
];

/** A packet such as the examples speak of. */
function randomPacket(random: Random, families: readonly (4 | 6)[]): { readonly sent: Sent; readonly description: PacketDescription } {
  const family = random.pick(families);
  const address = (): Ip => {
    const ip = parseIp(random.pick(family === 4 ? V4 : V6));
    if (!ip) throw new Error('not an address');
    return ip;
  };
  const ports = { sourcePort: random.pick(PORTS), destinationPort: random.pick(PORTS) };
  const kind = random.below(10);
  const payload = new Uint8Array(random.below(8) === 0 ? 1100 : 8);
  const types = family === 4 ? [0, 3, 8, 11] : [1, 2, 128, 129];
  const transport =
    kind < 5
      ? ({ kind: 'tcp', ...ports, flags: random.pick(FLAGS), payload } as const)
      : kind < 8
        ? ({ kind: 'udp', ...ports, payload } as const)
        : kind < 9
          ? ({ kind: 'icmp', type: random.pick(types), code: 0 } as const)
          : ({ kind: 'raw', protocol: 50, payload } as const);
  const description: PacketDescription = {
    source: address(),
    destination: address(),
    ttl: random.pick([2, 3, 4, 64, 255]),
    tos: random.pick([0, 0xb8]),
    transport,
  };
  return { sent: { bytes: buildPacket(description), iif: random.pick(INTERFACES) }, description };
}
