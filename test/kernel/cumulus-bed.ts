import { NO_LISTS } from '@weir/filter/eval';
import { Packet } from '@weir/filter/packet';
import { type AtHook, HookView } from '../../apps/weir/src/cli/replay/at-hook.ts';
import { withState } from '../../apps/weir/src/cli/replay/interpret.ts';
import { compileCumulus } from '../../apps/weir/src/compile/cumulus/index.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { ReplayBed } from '../../apps/weir/src/kernel/replay/index.ts';
import type { CumulusOptions } from '../../apps/weir/src/model/cumulus.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import type { Hints } from '../agreement/generate/hints.ts';
import { PacketMaker } from '../agreement/generate/packets.ts';
import type { Random } from '../e2e/random.ts';
import { runCommand } from '../lab/command.ts';

/** One section of an ACL file as text for iptables-restore: what cl-acltool hands to iptables, line by line. */
function restoreText(text: string, family: 4 | 6): string {
  const section = text.split(/^\[/m).find((part) => part.startsWith(family === 4 ? 'iptables]' : 'ip6tables]'));
  const lines = (section ?? '').split('\n').filter((line) => line.startsWith('-'));
  const tables = new Map<string, string[]>([['filter', []]]);
  for (const line of lines) {
    const [, table = 'filter', rest = ''] = /^(?:-t (\S+) )?(-A .*)$/.exec(line) ?? [];
    tables.set(table, [...(tables.get(table) ?? []), rest]);
  }
  return [...tables].flatMap(([table, rules]) => [`*${table}`, ...rules, 'COMMIT', '']).join('\n');
}

export type Variant = 'nft' | 'legacy';
export const VARIANTS: readonly Variant[] = ['nft', 'legacy'];
export const tool = (family: 4 | 6, variant: Variant, end: 'restore' | 'save'): string =>
  `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}-${end}`;

export interface Place {
  readonly hook: 'input' | 'forward' | 'prerouting';
  readonly priority: number;
  readonly state: boolean;
}

/** Packets through one hook of the kernel as iptables judges them, beside the interpreter. */
export class CumulusBed {
  readonly #place: Place;
  readonly #variant: Variant;
  readonly #bed: ReplayBed;
  readonly #netns: string;
  readonly seen = { allow: 0, deny: 0, fragments: 0, rules: 0 };
  /** Why rules were refused, how often. */
  readonly refused = new Map<string, number>();

  constructor(place: Place, variant: Variant) {
    const { hook, priority } = place;
    this.#place = place;
    this.#variant = variant;
    this.#bed = new ReplayBed({ hook, priority, states: place.state, iif: 'eth0', oif: 'eth1' });
    this.#netns = this.#bed.netns.replace('/proc/self/', `/proc/${process.pid}/`);
  }

  /** Behind the rules of iptables-legacy, which traces do not show: what comes there they have let through. */
  async prepare(): Promise<void> {
    if (this.#variant === 'nft') return;
    const { hook, priority } = this.#place;
    await this.#run(
      'nft',
      ['-f', '-'],
      `table inet behind { chain c { type filter hook ${hook} priority ${priority + 1}; policy drop; }; }`,
    );
  }

  /** Loads the rules, but for those that are refused, and sends packets; throws where the kernel says another thing than the interpreter. */
  async judge(whole: HookRules, options: CumulusOptions, random: Random, hints: Hints): Promise<void> {
    const { hook, text } = this.#sayable(whole, options);
    for (const family of [4, 6] as const) await this.#run(tool(family, this.#variant, 'restore'), [], restoreText(text, family));
    const packets = this.#packets(random, hints);
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
      if (at.packet.field('ip.frag') === true) this.seen.fragments++;
      const got = this.#variant === 'nft' ? sight.verdict : sight.verdict === 'drop' ? 'accept' : 'drop';
      if (want === got) continue;
      const written = hook.rules
        .map((one) => `${one.ref} ${JSON.stringify(one.action)} ${one.audit ? 'audit ' : ''}${one.text}`)
        .join('\n');
      const hex = Buffer.from(at.packet.bytes).toString('hex');
      throw new Error(`${this.#variant} ${hex} ${sight.state}\ninterpreter ${want} by ${rule?.ref}, kernel ${got}\n${written}\n${text}`);
    }
  }

  /** Which of the packets the rules let through. */
  async pass(hook: HookRules, options: CumulusOptions, packets: readonly Uint8Array[]): Promise<readonly boolean[]> {
    const { text, refusals } = compileCumulus([hook], options, () => undefined);
    if (refusals.length > 0) throw new Error(refusals.map(({ message }) => message).join('; '));
    for (const family of [4, 6] as const) await this.#run(tool(family, this.#variant, 'restore'), [], restoreText(text, family));
    const sights = this.#bed.send(
      packets.map((bytes) => ({ family: (bytes[0] ?? 0) >> 4 === 4 ? 4 : 6, packets: [bytes] })),
      () => true,
    );
    return sights.map((sight) => {
      if (sight.kind !== 'judged') throw new Error('a packet was not seen');
      return (sight.verdict === 'accept') === (this.#variant === 'nft');
    });
  }

  #sayable(hook: HookRules, options: CumulusOptions): { readonly hook: HookRules; readonly text: string } {
    const { text, refusals: refused, leftOut } = compileCumulus([hook], options, () => undefined);
    const refusals = [...refused, ...leftOut];
    const bad = new Set(refusals.map(({ rule }) => rule));
    if (bad.size === 0) {
      this.seen.rules += hook.rules.length;
      return { hook, text };
    }
    for (const { construct } of refusals) this.refused.set(construct, (this.refused.get(construct) ?? 0) + 1);
    const rules = hook.rules.flatMap((rule) => {
      if (bad.has(rule.ref)) return [];
      return rule.action.kind === 'skip' && bad.has(rule.action.to)
        ? [{ ...rule, action: { kind: 'skip', to: undefined } as const }]
        : [rule];
    });
    return this.#sayable({ ...hook, rules }, options);
  }

  #packets(random: Random, hints: Hints): readonly AtHook[] {
    const { hook, state } = this.#place;
    const maker = new PacketMaker(random, { wholeTrains: true, trains: !state, plainOptions: true, vlans: [] });
    const view = new HookView({
      hook,
      context: { iif: 'eth0', mark: 0, ...(hook === 'forward' ? { oif: 'eth1' } : {}) },
      assembles: { 4: state, 6: state },
    });
    const packets: AtHook[] = [];
    for (let i = 0; packets.length < 400 && i < 2000; i++) {
      for (const frame of maker.make(hints).frames) {
        const at = view.push(Packet.fromEthernet(frame, {}), i);
        if (at.kind === 'at-hook' && at.obstacle === undefined && at.sent.length > 0 && isWhole(at, this.#variant)) packets.push(at);
      }
    }
    return packets;
  }

  async #run(command: string, args: readonly string[], input: string): Promise<void> {
    await runCommand('nsenter', [`--net=${this.#netns}`, command, ...args], { input });
  }

  close(): void {
    this.#bed.close();
  }
}

const NEED: Readonly<Record<number, number>> = { 6: 20, 17: 8, 1: 8, 58: 8, 132: 12 };
const AH = 51;

/**
 * What iptables and the interpreter see the same: iptables drops packets whose transport header is not whole where it looks into it, and TCP fragments that begin within
 * the header; ip6tables-legacy looks behind AH.
 */
function isWhole({ packet, family }: AtHook, variant: Variant): boolean {
  const { headers } = packet;
  const { protocol, transport: at } = headers;
  if (protocol === undefined || (protocol === AH && family === 6 && variant === 'legacy')) return false;
  // A fragment that is not the first.
  if (at === undefined) return !(protocol === 6 && family === 4 && packet.field('ip.frag_offset') === 1);
  return headers.end >= at + (NEED[protocol] ?? 0);
}
