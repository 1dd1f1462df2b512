import type { MapNeed } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { LIMIT_ENTRY, writeLimit } from './limits.ts';

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
  /** u8: the codepoint that is written. */
  dscp: 6,
  /** u32: the mark that is set. */
  mark: 8,
  /** u32: one event in so many; 0 is all. */
  sampleEvery: 48,
  /** u32: so many events in a second at most; 0 is any number. */
  sampleRate: 52,
  /** LIMIT_ENTRY. */
  limit: 64,
} as const;

const ENTRY_OCTETS: number = ENTRY.limit + LIMIT_ENTRY.octets;

export const ACTION_CODE = { allow: 0, deny: 1, reject: 1, 'rate-limit': 2, log: 3, mark: 4, skip: 5, police: 6, dscp: 7 } as const;

export const ENTRY_FLAG = { log: 1, audit: 2 } as const;

/** The table of a hook's rules. */
export function ruleTable({ hook, rules }: HookRules): MapNeed {
  const contents = new Uint8Array(ENTRY_OCTETS * rules.length);
  for (const [index, rule] of rules.entries())
    writeEntry(new DataView(contents.buffer, ENTRY_OCTETS * index, ENTRY_OCTETS), { hook, index, rule });
  const shape = { type: 'array', keySize: 4, valueSize: ENTRY_OCTETS, maxEntries: Math.max(1, rules.length) } as const;
  return { kind: 'table', symbol: RULES, shape, contents };
}

interface OneRule {
  readonly hook: HookRules['hook'];
  readonly index: number;
  readonly rule: Rule;
}

function writeEntry(entry: DataView, { hook, index, rule }: OneRule): void {
  const { action, log, audit, sampling } = rule;
  entry.setUint32(ENTRY.index, index, true);
  entry.setUint8(ENTRY.action, ACTION_CODE[action.kind]);
  entry.setUint8(ENTRY.flags, (log || action.kind === 'log' ? ENTRY_FLAG.log : 0) | (audit ? ENTRY_FLAG.audit : 0));
  if (action.kind === 'rate-limit' || action.kind === 'police') writeLimit(entry, ENTRY.limit, hook, rule, action.limit);
  if (action.kind === 'mark') entry.setUint32(ENTRY.mark, action.mark, true);
  if (action.kind === 'dscp') entry.setUint8(ENTRY.dscp, action.dscp);
  entry.setUint32(ENTRY.sampleEvery, sampling?.every ?? 0, true);
  entry.setUint32(ENTRY.sampleRate, sampling?.perSecond ?? 0, true);
}
