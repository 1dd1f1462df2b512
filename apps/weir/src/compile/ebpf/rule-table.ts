import type { MapNeed } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';

/** The map with what the rules do, an entry for each in order. */
export const RULES = 'rules';

/** An entry, as offsets; integers in host order. */
export const ENTRY = {
  /** u32: the number of the rule, from 0. */
  index: 0,
  /** u8: ACTION_CODE. */
  action: 4,
  /** u8: ENTRY_FLAG. */
  flags: 5,
  /** u32: the mark that is set. */
  mark: 8,
} as const;

export const ENTRY_OCTETS = 64;

export const ACTION_CODE = { allow: 0, deny: 1, reject: 1, 'rate-limit': 2, log: 3, mark: 4, skip: 5 } as const;

export const ENTRY_FLAG = { log: 1, audit: 2 } as const;

/** The table of a hook's rules. */
export function ruleTable({ rules }: HookRules): MapNeed {
  const contents = new Uint8Array(ENTRY_OCTETS * rules.length);
  for (const [index, rule] of rules.entries()) writeEntry(new DataView(contents.buffer, ENTRY_OCTETS * index, ENTRY_OCTETS), index, rule);
  const shape = { type: 'array', keySize: 4, valueSize: ENTRY_OCTETS, maxEntries: Math.max(1, rules.length) } as const;
  return { kind: 'table', symbol: RULES, shape, contents };
}

function writeEntry(entry: DataView, index: number, { action, log, audit }: Rule): void {
  entry.setUint32(ENTRY.index, index, true);
  entry.setUint8(ENTRY.action, ACTION_CODE[action.kind]);
  entry.setUint8(ENTRY.flags, (log || action.kind === 'log' ? ENTRY_FLAG.log : 0) | (audit ? ENTRY_FLAG.audit : 0));
  if (action.kind === 'mark') entry.setUint32(ENTRY.mark, action.mark, true);
}
