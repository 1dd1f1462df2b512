import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at, community } from './addresses.ts';
import { buildGate, type Gate, gatePeer } from './gate.ts';
import { Weir } from './weir.ts';

const BLOCK = '64512:666';
const head = `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - ${gatePeer}
`;

const both = (v: { readonly v4: string; readonly v6: string }): string[] => [`${v.v4}/32`, `${v.v6}/128`];

async function start(config: string): Promise<Gate & { readonly weir: Weir }> {
  const lab = labForTest();
  const gate = await buildGate(lab);
  gate.peer.start();
  const weir = new Weir(lab, gate.core, config);
  await weir.start();
  return { ...gate, weir };
}

async function becomes(from: Host, address: string, port: number, outcome: 'connected' | 'timeout'): Promise<void> {
  await waitFor(`${address} port ${port}: ${outcome}`, async () => (await from.tcpConnect(address, port, 300)) === outcome, {
    timeoutMs: 60_000,
  });
}

/** Packets by the name of the rule, as `weir status` has them. */
async function counters(weir: Weir): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const { rule, packets } of (await weir.status()).kernel.rules) sums.set(rule, (sums.get(rule) ?? 0) + packets);
  return sums;
}

test('a border between two sides: allowed ports, deny before established, counters', async () => {
  const gate = await start(`${head}sets:
  web:
    kind: allow
    communities: ["${community}"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], peers: [cluster] }
    on_session_loss: hold 2m
  blocked:
    kind: deny
    communities: ["${BLOCK}"]
firewall:
  borders:
    - name: internet
      from: [eth0]
      to: [wg0]
      deny: [blocked]
      allow:
        - { set: web, protocol: tcp, ports: [80, 400-443] }
        - { set: web, protocol: udp, ports: 53 }
        - { set: web, protocol: icmp }
`);
  const { internet, cluster, core, peer, weir } = gate;
  await weir.established(1);
  peer.announce([...both(at.service)], [community]);
  for (const family of ['v4', 'v6'] as const) {
    const address = at.service[family];
    const dns = await cluster.udpSocket(address, 53, { echo: true });
    const client = await internet.udpSocket(at.internet[family], 0);
    for (const port of [80, 443]) await becomes(internet, address, port, 'connected');
    for (const port of [22, 444]) expect(await internet.tcpConnect(address, port, 300)).toBe('timeout');
    expect(await internet.tcpConnect(at.other[family], 443, 300)).toBe('timeout');
    await client.send(address, 53, 'question');
    expect((await client.receive(1000))?.text).toBe('question');
    await icmp(internet, address, family === 'v4' ? 8 : 128, 0);
    // The other direction is nobody's border.
    const back = await internet.tcpServer(at.internet[family], 8443);
    expect(await cluster.tcpConnect(at.internet[family], 8443)).toBe('connected');
    await back.close();

    const held = await internet.tcpHold(address, 443);
    if (!held) throw new Error('no connection');
    expect(await held.echo('before')).toBe('echo');
    peer.announce([`${at.internet[family]}/${family === 'v4' ? 32 : 128}`], [BLOCK]);
    await becomes(internet, address, 443, 'timeout');
    expect(await held.echo('denied', 500)).toBe('timeout');
    peer.withdraw([`${at.internet[family]}/${family === 'v4' ? 32 : 128}`]);
    await becomes(internet, address, 443, 'connected');
    expect(await held.echo('after', 5000)).toBe('echo');
    await held.close();
    await dns.close();
    await client.close();
  }
  const counted = await counters(weir);
  for (const rule of ['deny blocked', 'established', 'allow web tcp 80,400-443', 'allow web udp 53', 'allow web icmp', 'default internet'])
    expect([rule, (counted.get(rule) ?? 0) > 0]).toEqual([rule, true]);
  // The kernel shows the same under the same names.
  const shown = await core.nftList('table', 'inet', 'weir');
  for (const rule of counted.keys()) expect(shown).toContain(`comment "${rule}"`);
});

/** One ICMP message with octets of nobody's connection in it, from a raw socket. */
async function icmp(from: Host, to: string, type: number, code: number, hops: number = 64): Promise<void> {
  const six = to.includes(':');
  const program = `
import socket, struct
six = ${six ? 'True' : 'False'}
body = struct.pack('!I', 1280) + bytes([0x45]) + bytes(27)
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) if six else socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
if six: s.setsockopt(41, 16, ${hops})
message = struct.pack('!BBH', ${type}, ${code}, 0) + body
if not six: message = struct.pack('!BBH', ${type}, ${code}, checksum(message)) + body
s.sendto(message, ('${to}', 0))
`;
  await from.exec('python3', ['-c', program]);
}

interface Entry {
  /** Key under `base`. */
  readonly key: string;
  /** The rule that lets it in; undefined where several do. */
  readonly rule: string;
  /** Something that the entry lets in, and whether it worked where that shows. */
  act(gate: Gate): Promise<boolean | undefined>;
}

const entries: readonly Entry[] = [
  {
    key: 'loopback',
    rule: 'base loopback',
    async act({ core }) {
      return (await core.tcpConnect('127.0.0.1', 9, 300)) === 'refused';
    },
  },
  {
    key: 'established',
    rule: 'established',
    async act({ core }) {
      return (await core.tcpConnect(at.internet.v4, 8080, 300)) === 'connected';
    },
  },
  {
    key: 'neighbour_discovery',
    rule: 'base neighbour discovery',
    async act({ internet, core }) {
      for (const host of [internet, core]) await host.ip('-6', 'neigh', 'flush', 'dev', 'eth0');
      return (await internet.tcpConnect(at.border.v6, 80, 800)) === 'connected';
    },
  },
  {
    key: 'multicast_listener',
    rule: 'base multicast listener',
    async act({ internet }) {
      await icmp(internet, at.border.v6, 130, 0, 1);
      return undefined;
    },
  },
  {
    key: 'path_mtu',
    rule: 'base path mtu',
    async act({ internet }) {
      await icmp(internet, at.border.v4, 3, 4);
      return undefined;
    },
  },
  {
    key: 'path_mtu',
    rule: 'base path mtu',
    async act({ internet }) {
      await icmp(internet, at.border.v6, 2, 0);
      return undefined;
    },
  },
  {
    key: 'dhcp_client',
    rule: 'base dhcp client',
    async act({ internet, core }) {
      const client = await core.udpSocket('0.0.0.0', 68);
      const server = await internet.udpSocket(at.internet.v4, 67);
      await server.send(at.border.v4, 68, 'offer');
      const heard = await client.receive(500);
      await client.close();
      await server.close();
      return heard !== undefined;
    },
  },
];

const local = (off: string | undefined): string => `${head}sets:
  web:
    kind: allow
    communities: ["${community}"]
    guard: { prefixes: [198.51.100.0/24, "2001:db8::/32"], peers: [cluster] }
    on_session_loss: hold 2m
firewall:
${off === undefined ? '' : `  base: { ${off}: false }\n`}  borders:
    - { name: host, from: [lo, eth0, bgp0], to: local, allow: [{ set: web, protocol: tcp, ports: 80 }] }
`;

test('a border around this host: its base, entry by entry, switched on and off', async () => {
  const gate = await start(local(undefined));
  const { internet, core, peer, weir } = gate;
  await weir.established(1);
  peer.announce(both(at.border), [community]);
  const servers = await Promise.all([
    core.tcpServer(at.border.v4, 80),
    core.tcpServer(at.border.v6, 80),
    core.tcpServer(at.border.v4, 81),
    internet.tcpServer(at.internet.v4, 8080),
  ]);
  for (const address of [at.border.v4, at.border.v6]) await becomes(internet, address, 80, 'connected');
  expect(await internet.tcpConnect(at.border.v4, 81, 300)).toBe('timeout');
  expect((await counters(weir)).get('base bgp cluster')).toBeGreaterThan(0);
  /** Whether something that the entry lets in worked, and which of two rules counted. A packet may wait for its neighbour's address first. */
  const judged = async (entry: Entry, rule: string): Promise<boolean | undefined> => {
    const before = (await counters(weir)).get(rule) ?? 0;
    let worked: boolean | undefined;
    // What a kernel sends of its own accord may not come the first time.
    await waitFor(
      `${entry.key}: ${rule} to count`,
      async () => {
        worked = await entry.act(gate);
        const counted = async (): Promise<boolean> => ((await counters(weir)).get(rule) ?? 0) > before;
        for (let look = 0; look < 50; look++) {
          if (await counted()) return true;
          await sleep(20);
        }
        return undefined;
      },
      { timeoutMs: 60_000 },
    );
    return worked;
  };
  for (const entry of entries) expect([entry.key, (await judged(entry, entry.rule)) ?? true]).toEqual([entry.key, true]);
  for (const entry of entries) {
    weir.configure(local(entry.key));
    await weir.reload();
    expect((await counters(weir)).has(entry.rule)).toBe(false);
    // What nothing else lets in meets the end of the chain.
    expect([entry.key, (await judged(entry, 'default host')) ?? false]).toEqual([entry.key, false]);
  }
  for (const server of servers) await server.close();
});

test('a BGP session that the peers opens passes the base, and does not without the entry', async () => {
  const passive = local('established')
    .replace('  peers:', '  listen: 192.0.2.129\n  peers:')
    .replace('hold_time: 3 }', 'hold_time: 3, passive: true }');
  const gate = await start(passive.replace('established: false', 'established: false, bgp_peers: false'));
  const dial = async (): Promise<string> => await gate.cluster.tcpConnect('192.0.2.129', 179, 500);
  await sleep(300);
  expect(await dial()).toBe('timeout');
  gate.weir.configure(passive);
  await gate.weir.reload();
  expect(await dial()).not.toBe('timeout');
  expect((await counters(gate.weir)).get('base bgp cluster')).toBeGreaterThan(0);
});
