import { bindProgram } from '@weir/ebpf/asm';
import { attachTcx, attachXdp, BpfMap, BpfProgram, KernelFunctions } from '@weir/ebpf/kernel';
import { PacketSocket } from '@weir/sys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileRules } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../../apps/weir/src/compile/nft/print.ts';
import { memberOffset } from '../../apps/weir/src/kernel/ebpf/connection-tracking.ts';
import { loadHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { checksum, fixIpv4Checksum, wordSum } from '../agreement/generate/checksum.ts';
import { type Host, Lab } from '../lab/index.ts';
import { keep } from './ebpf-bed.ts';
import { counted } from './ebpf-limits-bed.ts';
import { allow, compiled, rule } from './ebpf-runtime-bed.ts';

const GUARD = { v4: '192.0.2.1', v6: '2001:db8::1' } as const;
const PEER = { v4: '192.0.2.2', v6: '2001:db8::2' } as const;
const STATES = ['new', 'established', 'related', 'invalid'] as const;

let lab: Lab;
let guard: Host;
let peer: Host;
let device: number;
let mac: Uint8Array;

beforeAll(async () => {
  lab = new Lab();
  guard = await lab.host('guard');
  peer = await lab.host('peer', { sysctl: { 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 } });
  await lab.link(
    { host: guard, addresses: [`${GUARD.v4}/24`, `${GUARD.v6}/64`] },
    { host: peer, addresses: [`${PEER.v4}/24`, `${PEER.v6}/64`] },
  );
  await guard.sysctl('net.ipv4.icmp_ratelimit', 0);
  await guard.sysctl('net.ipv6.icmp.ratelimit', 0);
  const [link] = JSON.parse(await guard.ip('-j', 'link', 'show', 'dev', 'peer')) as [{ ifindex: number; address: string }];
  device = link.ifindex;
  mac = Uint8Array.from(link.address.split(':'), (octet) => Number.parseInt(octet, 16));
  // Tracking is switched on, and nf_tables counts by state what it sees before and behind the programs.
  const counters = (side: string): string =>
    STATES.map(
      (state) => `${side} "peer" meta l4proto { tcp, udp } ct state ${state} counter comment "${state}"
        ${side} "peer" icmp type { destination-unreachable, time-exceeded } ct state ${state} counter comment "${state}"
        ${side} "peer" icmpv6 type { destination-unreachable, time-exceeded } ct state ${state} counter comment "${state}"`,
    ).join('\n');
  await guard.nft(`table inet count {
    chain in { type filter hook prerouting priority 0; ${counters('iifname')}
    }
    chain out { type filter hook postrouting priority 500; ${counters('oifname')}
    }
  }`);
}, 60_000);
afterAll(() => lab.dispose());

/** Packets by state, as nf_tables counts them. */
async function countedByRules(chain: 'in' | 'out'): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { rule: one } of await guard.nftJson('chain', 'inet', 'count', chain)) {
    if (!one) continue;
    const state = String(one['comment']);
    const packets = (one['expr'] as readonly { counter?: { packets: number } }[]).find(({ counter }) => counter)?.counter?.packets ?? 0;
    sums[state] = (sums[state] ?? 0) + packets;
  }
  return sums;
}

/** A TCP segment from the peer with flags of which no connection knows. */
function segment(flags: number, port: number): Uint8Array {
  const frame = new Uint8Array(54);
  frame.set(mac, 0);
  frame.set([2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1], 6);
  frame.set([port >>> 8, port & 0xff, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, flags, 0x10, 0, 0, 0, 0, 0], 34);
  fixIpv4Checksum(frame, 14);
  const sum = checksum(frame, 34, 54, wordSum(frame, 26, 34) + 6 + 20);
  frame.set([sum >>> 8, sum & 0xff], 50);
  return frame;
}

/** Connections in both directions, opened, used, refused; datagrams with and without answers; what nobody asked for. */
async function talk(): Promise<void> {
  for (const family of ['v4', 'v6'] as const) {
    const [here, there] = [GUARD[family], PEER[family]];
    const servers = [await guard.tcpServer(here, 80), await peer.tcpServer(there, 80)];
    const out = await guard.tcpHold(there, 80);
    const back = await peer.tcpHold(here, 80);
    expect([await out?.echo('out'), await back?.echo('back')]).toEqual(['echo', 'echo']);
    await out?.close();
    await back?.close();
    expect(await guard.tcpConnect(there, 81)).toBe('refused');
    expect(await peer.tcpConnect(here, 81)).toBe('refused');
    const sockets = [await guard.udpSocket(here, 53, { echo: true }), await peer.udpSocket(there, 53, { echo: true })];
    for (const [from, to] of [
      [await guard.udpSocket(here, 0), there],
      [await peer.udpSocket(there, 0), here],
    ] as const) {
      for (let i = 0; i < 3; i++) {
        await from.send(to, 53, `question ${i}`);
        expect(await from.receive()).toBeDefined();
      }
      await from.send(to, 54, 'nobody listens');
      await from.receive(50);
      await from.close();
    }
    for (const one of [...servers, ...sockets]) await one.close();
  }
  const socket = PacketSocket.open({ interface: 'guard', netns: peer.path });
  // NULL, FIN, SYN and FIN, RST, SYN and ACK, Christmas tree; the middle of a connection, which is answered with RST.
  socket.send([0, 1, 3, 4, 18, 41, 16].map((flags, index) => segment(flags, 1000 + index)));
  socket.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
}

describe('the state of a packet is what nf_tables says of it', () => {
  const counting = [
    ...STATES.map((state, i) => rule(state, `ct.${state}`, { kind: 'skip', to: STATES[i + 1] })),
    rule('rest', 'ip.ttl == 0', { kind: 'allow' }),
    allow,
  ];

  it.each([
    { name: 'tc, on the way in', place: 'tc', direction: 'ingress', chain: 'in' },
    { name: 'tc, on the way out', place: 'tc', direction: 'egress', chain: 'out' },
    { name: 'XDP', place: 'xdp', direction: undefined, chain: 'in' },
  ] as const)(
    '$name',
    async ({ place, direction, chain }) => {
      const loaded = keep(loadHook(compiled(place, counting), { name: 'weir_states' }));
      const before = await countedByRules(chain);
      const link =
        direction === undefined
          ? attachXdp(loaded.program, { interface: device, netns: guard.path }).link
          : attachTcx(loaded.program, { interface: device, direction, netns: guard.path });
      try {
        await talk();
      } finally {
        link.close();
      }
      const after = await countedByRules(chain);
      const here = Object.fromEntries(STATES.map((state, i) => [state, counted(loaded, i)]));
      expect(here).toEqual(Object.fromEntries(STATES.map((state) => [state, (after[state] ?? 0) - (before[state] ?? 0)])));
      for (const state of chain === 'in' ? STATES : (['new', 'established', 'related'] as const)) expect(here[state]).toBeGreaterThan(0);
    },
    60_000,
  );
});

it('the table of Weir switches tracking on where rules ask for states', async () => {
  const plain = await lab.host('plain');
  const server = await plain.tcpServer('127.0.0.1', 80);
  const tracked = async (): Promise<number> => Number((await plain.exec('conntrack', ['-C'])).stdout.trim());
  const load = (tracking: boolean): Promise<void> => plain.nft(printTable(compileRules([], [], { table: 'weir', tracking }).table));
  await load(false);
  expect([await plain.tcpConnect('127.0.0.1', 80), await tracked()]).toEqual(['connected', 0]);
  await load(true);
  expect([await plain.tcpConnect('127.0.0.1', 80), await tracked()]).toEqual(['connected', 1]);
  await server.close();
});

it('a kernel without the cast of contexts looks up what it is not told', () => {
  const { program } = compiled('tc', [rule('established', 'ct.established', { kind: 'deny' }), allow]);
  const kernel = keep(new KernelFunctions(['bpf_skb_ct_lookup', 'bpf_ct_release']));
  const counters = keep(BpfMap.create({ name: 'counters', type: 'percpu_array', valueSize: 16, maxEntries: 2 }));
  const instructions = bindProgram(program, {
    maps: new Map([['counters', counters.fd]]),
    constants: new Map(['sk_buff._nfct', 'nf_conn.status'].map((symbol) => [symbol, memberOffset(symbol)!])),
    kernelFunctions: kernel.functions,
    absentFunctions: new Set(['bpf_cast_to_kern_ctx']),
  });
  const loaded = keep(BpfProgram.load({ name: 'weir_old', type: 'sched_cls', instructions, fdArray: kernel.fdArray }));
  expect(loaded.run({ data: segment(2, 1) }).result).toBe(0xffff_ffff);
});

describe('replies to what is allowed pass, and nothing else', () => {
  const neighbours = 'not ip.proto.num in {6 17 1} and not icmpv6.type in {1..4 128}';
  const rules = [
    rule('neighbours', neighbours, { kind: 'allow' }),
    rule('established', 'ct.established', { kind: 'allow' }),
    rule('related', 'ct.related', { kind: 'allow' }),
    rule('web', 'tcp.dstport == 80 or udp.dstport == 53', { kind: 'allow' }),
    rule('default', 'ip.ttl >= 0 or not ip.ttl >= 0', { kind: 'deny' }, { stage: 'default' }),
  ];
  const deny = rules.filter(({ ref }) => ref !== 'web');

  it.each([
    { name: 'tc, on the way in', place: 'tc', direction: 'ingress' },
    { name: 'XDP', place: 'xdp', direction: undefined },
  ] as const)(
    '$name: what the host asks is answered, what others ask is not',
    async ({ place, direction }) => {
      const loaded = keep(loadHook(compiled(place, deny), { name: 'weir_replies' }));
      const link =
        direction === undefined
          ? attachXdp(loaded.program, { interface: device, netns: guard.path }).link
          : attachTcx(loaded.program, { interface: device, direction, netns: guard.path });
      try {
        await refusesOthers(guard, GUARD, peer, PEER);
      } finally {
        link.close();
      }
      // Nobody listened at two ports.
      expect(counted(loaded, 2)).toBe(2);
    },
    60_000,
  );

  it('tc, on the way out: what others ask is answered, what the host asks for goes only where it may', async () => {
    const { program } = keep(loadHook(compiled('tc', rules), { name: 'weir_replies' }));
    const link = attachTcx(program, { interface: device, direction: 'egress', netns: guard.path });
    try {
      for (const family of ['v4', 'v6'] as const) {
        const [here, there] = [GUARD[family], PEER[family]];
        const servers = [await guard.tcpServer(here, 4000), await peer.tcpServer(there, 80), await peer.tcpServer(there, 4000)];
        expect(await peer.tcpConnect(here, 4000)).toBe('connected');
        // The answer to what nobody listens for is one, too.
        expect(await peer.tcpConnect(here, 4001)).toBe('refused');
        expect(await guard.tcpConnect(there, 80)).toBe('connected');
        expect(await guard.tcpConnect(there, 4000, 300)).toBe('timeout');
        for (const one of servers) await one.close();
      }
    } finally {
      link.close();
    }
  }, 60_000);
});

type Addresses = Readonly<Record<'v4' | 'v6', string>>;

/** Connections and datagrams of one host come through with their answers, those of the other do not; errors about its own do. */
async function refusesOthers(host: Host, own: Addresses, other: Host, others: Addresses): Promise<void> {
  for (const family of ['v4', 'v6'] as const) {
    const [here, there] = [own[family], others[family]];
    const servers = [await host.tcpServer(here, 80), await other.tcpServer(there, 80)];
    const held = await host.tcpHold(there, 80);
    expect(await held?.echo('still there')).toBe('echo');
    expect(await host.tcpConnect(there, 81)).toBe('refused');
    expect(await other.tcpConnect(here, 80, 300)).toBe('timeout');
    const answering = [await host.udpSocket(here, 53, { echo: true }), await other.udpSocket(there, 53, { echo: true })];
    const [mine, theirs] = [await host.udpSocket(here, 0), await other.udpSocket(there, 0)];
    await mine.send(there, 53, 'question');
    expect(await mine.receive()).toBeDefined();
    await theirs.send(here, 53, 'question');
    expect(await theirs.receive(300)).toBeUndefined();
    await mine.send(there, 54, 'nobody listens');
    await mine.receive(100);
    await held?.close();
    for (const one of [...servers, ...answering, mine, theirs]) await one.close();
  }
}
