import { ConntrackClient, type ConntrackEntry } from '@weir/netlink/conntrack';
import { prefix, printIp } from '@weir/wire/inet';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let outside: Host;
let router: Host;
let inside: Host;
let tracked: ConntrackClient;

/** Connection tracking of a namespace sees packets only once a rule there uses it. */
const RULES = `flush ruleset
table inet fw {
  set open { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 } }
  set open6 { type ipv6_addr; flags interval; elements = { 2001:db8:2::/64 } }
  chain forward {
    type filter hook forward priority 0; policy drop;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ct state established,related accept
    ip daddr @open accept
    ip6 daddr @open6 accept
  }
}
table ip nat {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.80 dnat to 198.51.100.2
  }
}`;

beforeAll(async () => {
  lab = new Lab();
  outside = await lab.host('outside');
  router = await lab.host('router', { forwarding: true });
  inside = await lab.host('inside');
  await lab.link(
    { host: outside, addresses: ['192.0.2.2/24', '2001:db8:1::2/64'] },
    { host: router, addresses: ['192.0.2.1/24', '2001:db8:1::1/64'] },
  );
  await lab.link(
    { host: router, addresses: ['198.51.100.1/24', '2001:db8:2::1/64'] },
    { host: inside, addresses: ['198.51.100.2/24', '198.51.100.3/24', '2001:db8:2::2/64'] },
  );
  for (const [host, v4, v6] of [
    [outside, '192.0.2.1', '2001:db8:1::1'],
    [inside, '198.51.100.1', '2001:db8:2::1'],
  ] as const) {
    await host.route('0.0.0.0/0', { via: v4 });
    await host.route('::/0', { via: v6 });
  }
  for (const [address, port] of [
    ['198.51.100.2', 80],
    ['198.51.100.2', 443],
    ['198.51.100.3', 80],
    ['2001:db8:2::2', 80],
  ] as const) {
    await inside.tcpServer(address, port);
  }
  tracked = new ConntrackClient({ netns: router.path });
});

afterAll(async () => {
  tracked?.close();
  await lab?.dispose();
});

beforeEach(async () => {
  await router.nft(RULES);
  await router.exec('conntrack', ['-F']);
});

async function connect(address: string, port: number) {
  const held = await outside.tcpHold(address, port, 2_000);
  if (!held) throw new Error(`no connection to ${address} ${port}`);
  return held;
}

function list(family?: 4 | 6): ConntrackEntry[] {
  const out: ConntrackEntry[] = [];
  tracked.each((entry) => out.push(entry), family === undefined ? {} : { family });
  return out;
}

/** `src dst sport dport` of the original direction, as `conntrack -L` prints them. */
async function oracle(family: 'ipv4' | 'ipv6'): Promise<string[]> {
  const { stdout } = await router.exec('conntrack', ['-L', '-f', family, '-p', 'tcp']);
  const pattern = /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/;
  return stdout
    .split('\n')
    .flatMap((line) => pattern.exec(line)?.slice(1).join(' ') ?? [])
    .sort();
}

function shown(entries: readonly ConntrackEntry[]): string[] {
  return entries
    .filter((entry) => entry.original.protocol === 6)
    .map(({ original: o }) => `${printIp(o.source)} ${printIp(o.destination)} ${o.sourcePort} ${o.destinationPort}`)
    .sort();
}

describe('connection tracking', () => {
  it('lists what conntrack lists, by family', async () => {
    await connect('198.51.100.2', 80);
    await connect('198.51.100.3', 80);
    await connect('2001:db8:2::2', 80);
    await connect('203.0.113.80', 443);
    const v4 = await oracle('ipv4');
    const v6 = await oracle('ipv6');
    expect(v4).toHaveLength(3);
    expect(v6).toHaveLength(1);
    expect(shown(list(4))).toEqual(v4);
    expect(shown(list(6))).toEqual(v6);
    expect(shown(list())).toEqual([...v4, ...v6].sort());
    const translated = list(4).find((entry) => printIp(entry.original.destination) === '203.0.113.80');
    expect(translated && printIp(translated.reply.source)).toBe('198.51.100.2');
    expect(translated).toMatchObject({ tcpState: 3, original: { destinationPort: 443 }, reply: { sourcePort: 443 } });
  });

  it('of ICMP has its identifier', async () => {
    await router.exec('conntrack', '-I -p icmp -t 60 -s 192.0.2.2 -d 198.51.100.2 --icmp-type 8 --icmp-code 0 --icmp-id 7'.split(' '));
    const [entry] = list(4);
    expect(entry?.original).toMatchObject({ protocol: 1, icmp: { type: 8, code: 0, id: 7 } });
    expect(entry?.reply.icmp).toMatchObject({ type: 0, id: 7 });
    expect(tracked.deleteConnectionsTo([{ prefix: prefix('198.51.100.2/32'), ports: [80] }])).toBe(0);
    expect(tracked.deleteConnectionsTo([{ prefix: prefix('198.51.100.2/32') }])).toBe(1);
  });

  const cuts: {
    name: string;
    target: Parameters<ConntrackClient['deleteConnectionsTo']>[0][number];
    perspective?: 'before-nat' | 'after-nat';
    left: string[];
  }[] = [
    {
      name: 'a host',
      target: { prefix: prefix('198.51.100.3/32') },
      left: ['198.51.100.2 80', '198.51.100.2 443', '203.0.113.80 80', '2001:db8:2::2 80'],
    },
    { name: 'a prefix, also as translated', target: { prefix: prefix('198.51.100.0/24') }, left: ['2001:db8:2::2 80'] },
    {
      name: 'a prefix, as the client addressed it',
      target: { prefix: prefix('198.51.100.0/24') },
      perspective: 'before-nat',
      left: ['203.0.113.80 80', '2001:db8:2::2 80'],
    },
    {
      name: 'an address that is translated away, as packets carry it',
      target: { prefix: prefix('203.0.113.80/32') },
      perspective: 'after-nat',
      left: ['198.51.100.2 80', '198.51.100.2 443', '198.51.100.3 80', '203.0.113.80 80', '2001:db8:2::2 80'],
    },
    {
      name: 'a port',
      target: { prefix: prefix('198.51.100.0/24'), ports: [443], protocols: [6] },
      left: ['198.51.100.2 80', '198.51.100.3 80', '203.0.113.80 80', '2001:db8:2::2 80'],
    },
    {
      name: 'another protocol',
      target: { prefix: prefix('198.51.100.0/24'), protocols: [17] },
      left: ['198.51.100.2 80', '198.51.100.2 443', '198.51.100.3 80', '203.0.113.80 80', '2001:db8:2::2 80'],
    },
    {
      name: 'IPv6',
      target: { prefix: prefix('2001:db8:2::/64') },
      left: ['198.51.100.2 80', '198.51.100.2 443', '198.51.100.3 80', '203.0.113.80 80'],
    },
  ];
  it.each(cuts)('deletes what goes to $name and nothing else', async ({ target, perspective, left }) => {
    for (const [address, port] of [
      ['198.51.100.2', 80],
      ['198.51.100.2', 443],
      ['198.51.100.3', 80],
      ['203.0.113.80', 80],
      ['2001:db8:2::2', 80],
    ] as const) {
      await connect(address, port);
    }
    const deleted = tracked.deleteConnectionsTo([target], perspective);
    const rest = [...(await oracle('ipv4')), ...(await oracle('ipv6'))]
      .map((line) => line.split(' '))
      .map(([, to, , port]) => `${to} ${port}`);
    expect(rest.sort()).toEqual([...left].sort());
    expect(deleted).toBe(5 - left.length);
    expect(tracked.deleteConnectionsTo([target], perspective)).toBe(0);
  });

  it('deleted, an open connection is judged anew: closed where the ruleset refuses it, undisturbed where it does not', async () => {
    const cut = await connect('198.51.100.2', 80);
    const kept = await connect('198.51.100.3', 80);
    expect(await cut.echo('before', 2_000)).toBe('echo');
    await router.nft('flush set inet fw open\nadd element inet fw open { 198.51.100.3 }');
    expect(await cut.echo('established goes on', 2_000)).toBe('echo');
    expect(tracked.deleteConnectionsTo([{ prefix: prefix('198.51.100.0/24') }])).toBe(2);
    expect(await kept.echo('still', 5_000)).toBe('echo');
    expect(await cut.echo('after', 500)).toBe('timeout');
  });

  it('an entry is named by its id: a later one of the same addresses is not deleted for it', async () => {
    // A connection that was cut before may still send, and be tracked again at any time.
    const before = new Set(list(4).map(({ key }) => key.id));
    await connect('198.51.100.3', 80);
    const entry = list(4).find(({ key, original }) => !before.has(key.id) && printIp(original.destination) === '198.51.100.3');
    const there = (): boolean => list(4).some(({ key }) => key.id === entry!.key.id);
    expect(tracked.delete([{ ...entry!.key, id: (entry!.key.id! ^ 1) >>> 0 }])).toBe(0);
    expect(there()).toBe(true);
    expect(tracked.delete([entry!.key, entry!.key])).toBe(1);
    expect(there()).toBe(false);
  });

  it('several targets cost one listing; none cost nothing', async () => {
    // Connections of the tests before may end late.
    const both = [{ prefix: prefix('198.51.100.2/32') }, { prefix: prefix('2001:db8::/32') }];
    tracked.deleteConnectionsTo(both);
    await connect('198.51.100.2', 80);
    await connect('2001:db8:2::2', 80);
    expect(tracked.deleteConnectionsTo([])).toBe(0);
    const targets = Array.from({ length: 1_000 }, (_, i) => ({ prefix: prefix(`10.0.${i >> 8}.${i & 255}/32`) }));
    expect(tracked.deleteConnectionsTo([...targets, ...both])).toBe(2);
  });
});
