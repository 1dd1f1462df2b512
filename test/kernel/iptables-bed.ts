import { NO_LISTS } from '@weir/filter/eval';
import { Packet } from '@weir/filter/packet';
import { type AtHook, HookView } from '../../apps/weir/src/cli/replay/at-hook.ts';
import { withState } from '../../apps/weir/src/cli/replay/interpret.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { compileIptables } from '../../apps/weir/src/compile/iptables/index.ts';
import { ReplayBed } from '../../apps/weir/src/kernel/replay/index.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import type { Hints } from '../agreement/generate/hints.ts';
import { PacketMaker } from '../agreement/generate/packets.ts';
import type { Random } from '../e2e/random.ts';
import { runCommand } from '../lab/command.ts';

export interface IptablesPlace {
  readonly hook: 'input' | 'forward' | 'prerouting';
  readonly priority: number;
  /** Connections are tracked whatever the rules ask for; elsewhere packets come in fragments as well. */
  readonly tracked: boolean;
}

const PACKETS = 400;

export function restoreCommand(family: 4 | 6, legacy = false): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}${legacy ? '-legacy' : ''}-restore`;
}

/** Loads texts with the real iptables-restore and ip6tables-restore in a namespace, sends packets through, and compares what becomes of them with the interpreter. */
export class IptablesBed {
  readonly seen = { allow: 0, deny: 0 };
  readonly #place: IptablesPlace;
  readonly #bed: ReplayBed;

  constructor(place: IptablesPlace) {
    const { hook, priority, tracked } = place;
    this.#place = place;
    this.#bed = new ReplayBed({ hook, priority, states: tracked, iif: 'eth0', oif: 'eth1' });
  }

  /** False where the rules cannot be said. Throws where a packet is judged otherwise. */
  async judge(hook: HookRules, random: Random, hints: Hints): Promise<boolean> {
    const { hook: name, tracked } = this.#place;
    const [v4, v6] = [compileIptables([hook], 4), compileIptables([hook], 6)];
    if (v4.refusals.length + v6.refusals.length > 0) return false;
    const netns = this.#bed.netns.replace('/proc/self/', `/proc/${process.pid}/`);
    await runCommand('nsenter', [`--net=${netns}`, restoreCommand(4)], { input: v4.text });
    await runCommand('nsenter', [`--net=${netns}`, restoreCommand(6)], { input: v6.text });
    const maker = new PacketMaker(random, { wholeTrains: true, trains: !tracked, plainOptions: true, vlans: [] });
    const tracks = ({ text }: { readonly text: string }): boolean => tracked || text.includes(' -m conntrack ');
    const view = new HookView({
      hook: name,
      context: { iif: 'eth0', mark: 0, ...(name === 'forward' ? { oif: 'eth1' } : {}) },
      assembles: { 4: tracks(v4), 6: tracks(v6) },
    });
    const packets: AtHook[] = [];
    for (let i = 0; packets.length < PACKETS && i < 5 * PACKETS; i++) {
      for (const frame of maker.make(hints).frames) {
        const at = view.push(Packet.fromEthernet(frame, {}), i);
        if (at.kind === 'at-hook' && at.obstacle === undefined && at.sent.length > 0 && isWhole(at)) packets.push(at);
      }
    }
    const sights = this.#bed.send(
      packets.map(({ family, sent }) => ({ family, packets: sent })),
      () => false,
    );
    for (const [i, sight] of sights.entries()) {
      const at = packets[i];
      if (!at || sight.kind !== 'judged') continue;
      const { verdict, rule } = judge(hook, withState(at.packet, sight.state), { lists: NO_LISTS });
      const want = verdict === 'allow' ? 'accept' : 'drop';
      this.seen[verdict === 'allow' ? 'allow' : 'deny']++;
      if (want !== sight.verdict) {
        const text = hook.rules.map((one) => `${one.ref} ${JSON.stringify(one.action)} ${one.audit ? 'audit ' : ''}${one.text}`).join('\n');
        throw new Error(
          `${Buffer.from(at.packet.bytes).toString('hex')} ${sight.state}\ninterpreter ${want} by ${rule?.ref}, kernel ${sight.verdict}\n${text}\n${(at.family === 4 ? v4 : v6).text}`,
        );
      }
    }
    return true;
  }

  close(): void {
    this.#bed.close();
  }
}

/** iptables drops packets whose transport header is not whole where it looks into it; the interpreter sees what is there. */
function isWhole({ packet }: AtHook): boolean {
  const { headers } = packet;
  const need: Readonly<Record<number, number>> = { 6: 20, 17: 8, 1: 8, 58: 8, 132: 12 };
  const at = headers.transport;
  // A fragment that is not the first.
  if (at === undefined) return headers.protocol !== undefined;
  if (headers.protocol === undefined) return false;
  return headers.end >= at + (need[headers.protocol] ?? 0);
}
