// What a packet costs in a chain of Weir's, as maps of several fields, as a tree, and as the same rules one by one: real packets through a veth pair, over the cost of an empty policy.
import { finishChecksum, sumWords } from '@weir/filter/packet';
import { PacketSocket } from '@weir/sys';
import { type CompileOptions, compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, quantile, type Row } from './bench.ts';
import { policy, subject } from './load/policy.ts';

const RECEIVER = [2, 0, 0, 0, 0, 2] as const;
const FRAMES = 256;

/** An Ethernet frame with UDP or TCP that rule `i` is about. */
function frame(i: number): Uint8Array {
  const { source, port, protocol } = subject(i);
  const tcp = protocol === 'tcp';
  const length = 20 + (tcp ? 20 : 8);
  const out = new Uint8Array(Math.max(60, 14 + length));
  const view = new DataView(out.buffer);
  out.set(RECEIVER);
  out.set([2, 0, 0, 0, 0, 1], 6);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, length);
  view.setUint16(22, 64 * 256 + (tcp ? 6 : 17));
  view.setUint32(26, source);
  view.setUint32(30, 0xc6336401);
  view.setUint16(24, finishChecksum(sumWords(out.subarray(14, 34))));
  view.setUint16(34, 40_000);
  view.setUint16(36, port);
  if (tcp) view.setUint16(46, 0x5002);
  else view.setUint16(38, 8);
  return out;
}

async function lay(lab: Lab): Promise<Host> {
  const host = await lab.host('packet');
  await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
  await host.ip('link', 'set', 'rx0', 'address', RECEIVER.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
  for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
  return host;
}

/** Nanoseconds a packet, the median of some rounds of about as many packets each. */
function send(socket: PacketSocket, frames: readonly Uint8Array[], packets: number, rounds: number): number {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now();
    let sent = 0;
    while (sent < packets) sent += socket.send(frames);
    // The first is not counted: caches are cold.
    if (round > 0) times.push(((performance.now() - start) * 1e6) / sent);
  }
  return quantile(times, 0.5);
}

export const bench: Bench = {
  name: 'nft-packet',
  summary: 'nanoseconds a packet in the chains of a policy, over the cost of a policy without rules',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const host = await lay(lab);
      const socket = PacketSocket.open({ interface: 'tx0', netns: host.path });
      try {
        for (const count of smoke ? [10, 100] : [10, 100, 1000, 10_000]) {
          // Spread over the rules, so that one is met after half of them.
          const frames = Array.from({ length: FRAMES }, (_, i) => frame(Math.floor((i * count) / FRAMES)));
          const cost = async (rules: number, form: Pick<CompileOptions, 'linear' | 'maps'>): Promise<number> => {
            await host.nft(printTable(compileRules([policy(rules)], [], { table: 'weir', ...form }).table));
            const packets = smoke ? 1000 : form.linear && rules >= 1000 ? 10_000 : 100_000;
            return send(socket, frames, packets, smoke ? 1 : 5);
          };
          const empty = await cost(1, { linear: true });
          const [maps, tree, linear] = [await cost(count, {}), await cost(count, { maps: false }), await cost(count, { linear: true })];
          rows.push({
            rules: count,
            'maps ns': maps - empty,
            'tree ns': tree - empty,
            'one by one ns': linear - empty,
            times: (linear - empty) / (maps - empty),
            'without rules ns': empty,
          });
        }
      } finally {
        socket.close();
      }
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
