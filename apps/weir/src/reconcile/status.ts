import type { TableInfo } from '../kernel/backend.ts';
import type { ForeignChain, KernelStatus, SetStatus } from '../model/kernel-port.ts';
import type { Slot, Target } from './slot.ts';

const LISTED = 100;

/** One set and family, over the kernel sets that it fills. */
export function setStatus({ target, slots }: Target): SetStatus {
  const left = slots.map((slot) => slot.view.leftOut(LISTED));
  const total = (of: (view: Slot['view']) => number): number => slots.reduce((n, slot) => n + of(slot.view), 0);
  const present = slots.every((slot) => slot.info !== undefined);
  const split = slots.length > 1;
  return {
    set: target.set,
    family: target.family,
    wanted: total((v) => v.wanted),
    installed: total((v) => v.installed),
    covered: total((v) => v.covered),
    foreign: total((v) => v.foreign),
    conflicts: left.flatMap((l) => l.conflicts).slice(0, LISTED),
    unfit: left.flatMap((l) => l.unfit).slice(0, LISTED),
    representation: !present ? 'absent' : split ? 'hash+interval' : slots[0]?.view.interval ? 'interval' : 'hash',
  };
}

/**
 * The counters of a table's rules, by the hook's chain. Rules of one name are one line: a rule may stand in several of the chains that a hook's chain leads to, whose names begin
 * with its name.
 */
export function ruleStatus(table: TableInfo): KernelStatus['rules'] {
  const lines = new Map<string, { chain: string; rule: string; packets: number; bytes: number }>();
  const bases = table.chains.filter((chain) => chain.hook !== undefined).map((chain) => chain.name);
  // The longest first: `input_m150` before `input`.
  bases.sort((a, b) => b.length - a.length);
  const sorted = [...table.chains].sort((a, b) => Number(a.hook === undefined) - Number(b.hook === undefined));
  for (const { name: own, rules } of sorted) {
    const chain = bases.find((base) => own === base || own.startsWith(`${base}_`)) ?? own;
    for (const { name, counts, packets, bytes } of rules) {
      if (!counts) continue;
      const key = `${chain} ${name}`;
      const line = lines.get(key) ?? { chain, rule: name, packets: 0, bytes: 0 };
      lines.set(key, { ...line, packets: line.packets + packets, bytes: line.bytes + bytes });
    }
  }
  return [...lines.values()];
}

/** The base chains that are not in the table that Weir owns. */
export function foreignChains(all: readonly ForeignChain[], owned: string | undefined): readonly ForeignChain[] {
  return all.filter(({ family, table }) => family !== 'inet' || table !== owned);
}
