import type { Hook } from '@weir/filter/scheme';
import type { Table } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawRule } from './raw.ts';

/** Every hook, in the order in which they are listed. */
export const HOOKS: readonly Hook[] = ['input', 'forward', 'output', 'prerouting', 'xdp', 'tc', 'connect'];

/** A field of a rule that cannot be seen at some hooks, and what to do about it at connect, where a process only asks for a connection. */
interface Blind {
  readonly key: 'bpf' | 'source_cidrs' | 'source_ports' | 'in_interface' | 'out_interface' | 'state';
  readonly at: readonly Hook[];
  readonly atConnect: string;
}

const NOT_CHOSEN = 'the source is not chosen yet when a process connects';
const BLIND: readonly Blind[] = [
  { key: 'source_cidrs', at: ['connect'], atConnect: `${NOT_CHOSEN}: write destination_cidrs, or judge the packets at output` },
  { key: 'source_ports', at: ['connect'], atConnect: `${NOT_CHOSEN}: write destination_ports, or judge the packets at output` },
  { key: 'in_interface', at: ['output', 'connect'], atConnect: 'nothing has come in when a process connects' },
  {
    key: 'out_interface',
    at: ['input', 'prerouting', 'xdp', 'connect'],
    atConnect: 'the way is not chosen yet when a process connects: judge the packets at output',
  },
  { key: 'bpf', at: ['xdp', 'tc', 'connect'], atConnect: 'a program of your own is asked at input, forward, output or prerouting' },
  { key: 'state', at: ['connect'], atConnect: 'there is no connection yet: every one that is asked for is new' },
];

/** Protocols whose sockets go past connect-time programs. */
const UNASKED: readonly RawRule['protocol'][] = ['sctp', 'gre', 'esp'];

/** What a rule asks for or does that one of its hooks cannot see or do. */
export function checkHooks(table: Table<RawRule>, hooks: readonly Hook[], report: Report): void {
  checkKeys(table, hooks, report);
  checkAction(table, hooks, report);
  const { protocol } = table.get;
  if (hooks.includes('connect') && UNASKED.some((one) => one === protocol))
    report(
      'W015',
      table.place('protocol'),
      `the kernel does not ask about ${protocol} at the hook connect`,
      'judge its packets at output or tc',
    );
}

function checkKeys(table: Table<RawRule>, hooks: readonly Hook[], report: Report): void {
  const r = table.get;
  for (const { key, at, atConnect } of BLIND) {
    const given = r[key];
    if (given === undefined || ('length' in given && given.length === 0)) continue;
    for (const hook of hooks.filter((one) => at.includes(one))) {
      const hint = hook === 'connect' ? atConnect : `it can at ${listed(HOOKS.filter((one) => !at.includes(one)))}`;
      report('E035', table.place(key), `${key} cannot be ${key === 'bpf' ? 'asked' : 'seen'} at the hook ${hook}`, hint);
    }
  }
}

function checkAction(table: Table<RawRule>, hooks: readonly Hook[], report: Report): void {
  const r = table.get;
  const cannot = (hook: Hook, what: string, key: keyof RawRule & string, hint: string): void =>
    report('E049', table.place(key), `${what} at the hook ${hook}`, hint);
  for (const hook of hooks) {
    const per = r.action === 'rate_limit' ? r.rate_limit_per?.per : undefined;
    if (hook !== 'connect' && (per === 'process' || per === 'cgroup'))
      cannot(hook, `a ${per} cannot be counted`, 'rate_limit_per', 'it can at connect, where the process that asks is known');
    if (hook !== 'xdp' && hook !== 'tc' && hook !== 'connect') continue;
    if (r.action === 'reject')
      cannot(
        hook,
        'nothing can be answered',
        'action',
        hook === 'connect' ? 'write deny: the process gets EPERM' : 'write deny, or reject at input or forward',
      );
    if (r.action === 'mark' && hook !== 'tc') {
      const hint = hook === 'xdp' ? 'mark at tc or at prerouting' : 'mark at output';
      cannot(hook, hook === 'xdp' ? 'a frame has no mark yet' : 'what is only asked for cannot be marked', 'action', hint);
    }
    if (hook !== 'connect' || r.action !== 'rate_limit') continue;
    if (r.rate_limit_bps !== undefined && r.rate_limit_bps > 0)
      cannot(hook, 'what is only asked for has no bytes to count', 'rate_limit_bps', 'write rate_limit_pps: connections a second');
    if ((r.rate_limit_per?.per ?? 'source') === 'source')
      cannot(
        hook,
        'sources cannot be counted',
        r.rate_limit_per ? 'rate_limit_per' : 'action',
        `${NOT_CHOSEN}: write rate_limit_per: process, cgroup, destination or rule`,
      );
  }
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
