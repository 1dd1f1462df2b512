// One flow rule on the wire to the first packet that it drops, where others are held already, beside ExaBGP with a script that runs iptables.
import { setTimeout as sleep } from 'node:timers/promises';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachXdp, BpfMap, BpfProgram } from '@weir/ebpf/kernel';
import { PROGRAM_TYPES } from '../apps/weir/src/kernel/ebpf/index.ts';
import { Weir } from '../test/e2e/weir.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { frameOf, TraceDriver } from '../test/rules/trace.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { senderAddress, weirAddress } from './load/bed.ts';
import { exabgpColumns, startExabgp } from './load/exabgp.ts';
import { loadFlows, ruleOf } from './load/flows.ts';
import { endOfRib, flowAnnouncements, flowWithdrawals, LOCAL_AS, RawSender, SENDER_AS } from './load/raw-sender.ts';
import { CHANGES, figure, type Samples, sample } from './load/samples.ts';

const VICTIM = { address: '203.0.113.7', word: 0xcb007107 };
const ATTACKER = 0xc6336401;
const PORT = 123;
const RULE = ruleOf(`flow4 { dst ${VICTIM.address}/32; proto 17; sport ${PORT}; }`);
const [RECEIVER, VICTIM_MAC] = ['02:00:00:00:00:02', '02:00:00:00:00:07'];
const [XDP_DROP, XDP_TX] = [1, 3];
/** No packet for so long, and so many sent meanwhile: it is the rule. Milliseconds. */
const [QUIET, LEAST] = [60, 500];
const TIMEOUT = 30_000;
const CONFIG = `bgp:
  as: ${LOCAL_AS}
  router_id: 192.0.2.1
  peers:
    - { name: load, address: ${senderAddress}, as: ${SENDER_AS}, families: [ipv4 unicast, ipv4 flow], flow_validation: off }
flowspec:
  guards:
    - { peers: [load], max_rules: 20000, churn: { rate: 100000, burst: 100000 } }
convergence: { settle: 500ms, settle_without_restart: 500ms }
`;

/** Counts what comes to the victim's interface, and drops it there. */
function counter(): { readonly map: BpfMap; readonly program: BpfProgram } {
  const map = BpfMap.create({ name: 'arrived', type: 'array', valueSize: 8, maxEntries: 1 });
  const asm = new Assembler();
  asm.mapValue('r1', 'arrived', 0).load('r2', 'u64', 'r1', 0).alu('r2', '+=', 1).store('u64', 'r1', 0, 'r2').mov('r0', XDP_DROP).exit();
  const instructions = bindProgram(asm.assemble(), { maps: new Map([['arrived', map.fd]]) });
  return { map, program: BpfProgram.load({ name: 'arrived', ...PROGRAM_TYPES.xdp, instructions }) };
}

/** Packets from an attacker through a router to a victim. */
class Attack {
  readonly #driver: TraceDriver;
  readonly #index: number;
  readonly #netns: string;
  readonly #map: BpfMap;
  readonly #open: readonly { close(): void }[];

  private constructor(index: number, netns: string, map: BpfMap, open: readonly { close(): void }[]) {
    const header = { source: ATTACKER, destination: VICTIM.word, protocol: 17, sourcePort: PORT, destinationPort: 9 };
    this.#driver = new TraceDriver([frameOf(header, RECEIVER?.split(':').map((octet) => Number.parseInt(octet, 16)) ?? [])], XDP_TX);
    this.#index = index;
    this.#netns = netns;
    this.#map = map;
    this.#open = [this.#driver, ...open];
  }

  static async lay(lab: Lab, core: Host): Promise<Attack> {
    const [attacker, victim] = [await lab.host('attacker'), await lab.host('victim')];
    await lab.link(
      { host: attacker, name: 'tx0', addresses: ['192.0.2.129/25'] },
      { host: core, name: 'rx0', addresses: ['192.0.2.130/25'] },
    );
    await lab.link(
      { host: core, name: 'to0', addresses: ['203.0.113.1/24'] },
      { host: victim, name: 'eth0', addresses: [`${VICTIM.address}/24`] },
    );
    await core.ip('link', 'set', 'rx0', 'address', RECEIVER ?? '');
    await victim.ip('link', 'set', 'eth0', 'address', VICTIM_MAC ?? '');
    await core.exec('ethtool', ['-K', 'rx0', 'gro', 'on']);
    for (const setting of ['ip_forward=1', 'conf.all.rp_filter=0', 'conf.rx0.rp_filter=0'])
      await core.exec('sysctl', ['-qw', `net.ipv4.${setting}`]);
    await core.ip('neigh', 'replace', VICTIM.address, 'lladdr', VICTIM_MAC ?? '', 'dev', 'to0', 'nud', 'permanent');
    const indexOf = async (host: Host, name: string): Promise<number> => {
      const [link] = JSON.parse(await host.ip('-j', 'link', 'show', name)) as readonly { readonly ifindex: number }[];
      return link?.ifindex ?? 0;
    };
    const { map, program } = counter();
    const { link } = attachXdp(program, { interface: await indexOf(victim, 'eth0'), netns: victim.path, mode: 'native' });
    return new Attack(await indexOf(attacker, 'tx0'), attacker.path, map, [link, program, map]);
  }

  #arrived(): bigint {
    const value = this.#map.lookup(new Uint8Array(4));
    return value ? new DataView(value.buffer).getBigUint64(0, true) : 0n;
  }

  /** Sends one after the other until they are (not) let through any more. Milliseconds from `start` until the last one that was, or the first. */
  until(dropped: boolean, start: number): number {
    let last = this.#arrived();
    let at = performance.now();
    let sent = 0;
    for (;;) {
      this.#driver.send(1, this.#index, this.#netns, 1);
      sent++;
      const [now, count] = [performance.now(), this.#arrived()];
      if (count !== last) {
        if (!dropped) return now - start;
        last = count;
        at = now;
        sent = 0;
      } else if (dropped && now - at > QUIET && sent > LEAST) return Math.max(0, at - start);
      if (now - start > TIMEOUT) throw new RangeError(`packets are ${dropped ? 'not dropped' : 'dropped'} after ${TIMEOUT} ms`);
    }
  }

  close(): void {
    for (const one of this.#open) one.close();
  }
}

/** Announces and withdraws the rule against the attack, again and again. */
function measure(attack: Attack, sender: RawSender, rounds: number): Promise<Samples> {
  return sample(rounds, async (change) => {
    const dropped = change === 'announce';
    const messages = dropped ? flowAnnouncements([RULE]) : flowWithdrawals([RULE]);
    await sleep(20);
    attack.until(!dropped, performance.now());
    const start = performance.now();
    for (const message of messages) sender.write(message);
    return attack.until(dropped, start);
  });
}

interface Bed {
  readonly lab: Lab;
  readonly core: Host;
  readonly sender: RawSender;
  readonly attack: Attack;
}

async function ofWeir({ lab, core, sender, attack }: Bed, held: number, rounds: number): Promise<Samples> {
  const weir = new Weir(lab, core, CONFIG);
  const up = sender.next();
  await weir.start();
  await up;
  const rules = loadFlows('reflection', held).map(({ text }) => ruleOf(text));
  await sender.writeAll([...flowAnnouncements(rules), endOfRib()]);
  // What comes last is in force last.
  for (const message of flowAnnouncements([RULE])) sender.write(message);
  const start = performance.now();
  while (performance.now() - start < TIMEOUT && !(await inForce(weir, held + 1))) await sleep(100);
  for (const message of flowWithdrawals([RULE])) sender.write(message);
  await sleep(2000);
  const samples = await measure(attack, sender, rounds);
  await weir.kill();
  await core.nft('flush ruleset');
  return samples;
}

async function inForce(weir: Weir, count: number): Promise<boolean> {
  const answer = await weir.ask((client) => client.call('flows', { limit: 1 }));
  return answer?.peers.some(({ enforced }) => enforced >= count) === true;
}

async function ofExabgp(bed: Bed, held: number, rounds: number): Promise<Samples> {
  const { core, sender, attack } = bed;
  const rules = loadFlows('reflection', held).map(({ iptables }) => `-A PREROUTING ${iptables} -j DROP\n`);
  await core.exec('iptables-restore', [], { input: `*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n` });
  const exabgp = await startExabgp(bed, 'flows');
  await sleep(1000);
  const samples = await measure(attack, sender, rounds);
  await exabgp.kill();
  await core.exec('iptables', ['-t', 'raw', '-F']);
  return samples;
}

export const bench: Bench = {
  name: 'flow-to-kernel',
  summary: 'one flow rule written to a socket until the last packet that it does not drop, beside ExaBGP with one iptables for each rule',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const rows: Row[] = [];
    const beside = isInstalled('exabgp') && isInstalled('iptables');
    for (const held of smoke ? [20] : [0, 1000, 10_000]) {
      const lab = new Lab();
      try {
        const [core, outside] = [await lab.host('core'), await lab.host('outside')];
        await lab.link(
          { host: core, name: 'bgp0', addresses: [`${weirAddress}/28`] },
          { host: outside, name: 'bgp0', addresses: [`${senderAddress}/28`] },
        );
        const sender = await RawSender.listen(outside.path, senderAddress, true);
        const attack = await Attack.lay(lab, core);
        try {
          const bed: Bed = { lab, core, sender, attack };
          const weir = await ofWeir(bed, held, smoke ? 2 : 100);
          const other = beside ? await ofExabgp(bed, held, smoke ? 1 : held > 1000 ? 20 : 50) : undefined;
          for (const what of CHANGES) {
            rows.push({
              held,
              what,
              'p50 ms': figure(weir[what], 0.5),
              'p99 ms': figure(weir[what], 0.99),
              ...exabgpColumns(other?.[what], weir[what], 'iptables'),
            });
          }
        } finally {
          attack.close();
          sender.close();
        }
      } finally {
        await lab.dispose();
      }
    }
    return rows;
  },
};
