import type { PolicyAction, RateLimit } from '../../model/rule.ts';
import type { Table } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import type { ActionWord, RawRule } from './raw.ts';

/** Bytes that a limit in bytes lets through at once at least: a packet that is larger would never pass. */
const LEAST_BYTES = 65_536;

/** What a rule does; reports what is missing for it and what is said in vain. Undefined when it cannot be told. */
export function buildAction(rule: Table<RawRule>, report: Report): PolicyAction | undefined {
  const r = rule.get;
  checkVain(rule, report);
  switch (r.action) {
    case undefined:
      return undefined;
    case 'allow':
    case 'deny':
    case 'log':
      return { kind: r.action };
    case 'reject':
      return { kind: 'reject', with: r.reject_with ?? 'port-unreachable' };
    case 'rate_limit': {
      const limit = buildLimit(rule, report);
      return limit && { kind: 'rate-limit', limit };
    }
    case 'mark':
      if (r.mark === undefined && !rule.has('mark')) report('E012', rule.place('action'), 'mark is required when action is mark');
      return r.mark === undefined ? undefined : { kind: 'mark', mark: r.mark };
    case 'skip':
      return { kind: 'skip', to: r.skip_to };
  }
}

function buildLimit(rule: Table<RawRule>, report: Report): RateLimit | undefined {
  const r = rule.get;
  if (r.rate_limit_pps !== undefined && r.rate_limit_bps !== undefined) {
    report('E026', rule.place('rate_limit_bps'), 'rate_limit_pps and rate_limit_bps exclude each other', 'make a rule for each');
    return undefined;
  }
  const rate = r.rate_limit_pps ?? r.rate_limit_bps;
  if (rate === undefined) {
    if (!rule.has('rate_limit_pps') && !rule.has('rate_limit_bps')) {
      report('E012', rule.place('action'), 'rate_limit_pps is required when action is rate_limit', 'or rate_limit_bps, in bytes a second');
    }
    return undefined;
  }
  if (rate === 0) {
    const key = r.rate_limit_pps === undefined ? 'rate_limit_bps' : 'rate_limit_pps';
    report('E010', rule.place(key), `${key} must be at least 1`, 'action: deny lets nothing through');
    return undefined;
  }
  const unit = r.rate_limit_pps === undefined ? 'bytes' : 'packets';
  const burst = r.rate_limit_burst ?? Math.min(0xffffffff, unit === 'bytes' ? Math.max(LEAST_BYTES, rate) : rate);
  return { unit, rate, burst, ...(r.rate_limit_per ?? { per: 'source' }) };
}

/** The keys that belong to one action. */
const OWN: readonly { readonly key: keyof RawRule & string; readonly action: ActionWord }[] = [
  { key: 'rate_limit_pps', action: 'rate_limit' },
  { key: 'rate_limit_bps', action: 'rate_limit' },
  { key: 'rate_limit_burst', action: 'rate_limit' },
  { key: 'rate_limit_per', action: 'rate_limit' },
  { key: 'reject_with', action: 'reject' },
  { key: 'mark', action: 'mark' },
  { key: 'skip_to', action: 'skip' },
];

function checkVain(rule: Table<RawRule>, report: Report): void {
  const { action } = rule.get;
  if (action === undefined) return;
  for (const own of OWN) {
    const value = rule.get[own.key];
    // A rate of 0 says that there is none, as generated files write it.
    if (own.action === action || value === undefined || (own.action === 'rate_limit' && value === 0)) continue;
    if (own.action === 'rate_limit') report('W009', rule.place(own.key), `${own.key} has no effect because action is ${action}`);
    else report('E039', rule.place(own.key), `${own.key} is for action: ${own.action}, and action is ${action}`);
  }
}
