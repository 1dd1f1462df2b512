import type { LogSampling } from '../../model/rule.ts';
import type { Table } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawRule } from './raw.ts';

/** Which of the packets that a rule logs are logged; undefined: all. Reports it of rules that log nothing. */
export function buildSampling(rule: Table<RawRule>, audit: boolean, report: Report): LogSampling | undefined {
  const { log, action, log_sample: every, log_rate: perSecond } = rule.get;
  if (every === undefined && perSecond === undefined) return undefined;
  if (!log && !audit && action !== 'log' && action !== undefined) {
    const key = every === undefined ? 'log_rate' : 'log_sample';
    report('E039', rule.place(key), `${key} is for rules that log`, 'write log: true');
    return undefined;
  }
  return { ...(every === undefined ? {} : { every }), ...(perSecond === undefined ? {} : { perSecond }) };
}
