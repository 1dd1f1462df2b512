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

/** The counters of a table's rules; rules of one name are one line. */
export function ruleStatus(table: TableInfo): KernelStatus['rules'] {
  const lines = new Map<string, { chain: string; rule: string; packets: number; bytes: number }>();
  for (const chain of table.chains) {
    for (const { name, packets, bytes } of chain.rules) {
      const key = `${chain.name} ${name}`;
      const line = lines.get(key) ?? { chain: chain.name, rule: name, packets: 0, bytes: 0 };
      lines.set(key, { ...line, packets: line.packets + packets, bytes: line.bytes + bytes });
    }
  }
  return [...lines.values()];
}

/** The base chains that are not in the table that Weir owns. */
export function foreignChains(all: readonly ForeignChain[], owned: string | undefined): readonly ForeignChain[] {
  return all.filter(({ family, table }) => family !== 'inet' || table !== owned);
}
