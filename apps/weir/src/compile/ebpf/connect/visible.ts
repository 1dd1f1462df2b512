import type { Subject } from '@weir/filter/eval';
import type { Known } from '../expression.ts';

/** What is known of a connection that is asked for. */
const VISIBLE: ReadonlySet<string> = new Set([
  'ip.dst',
  'ip.proto',
  'ip.proto.num',
  'tcp.dstport',
  'udp.dstport',
  'sctp.dstport',
  'process.uid',
  'cgroup.id',
  'meta.mark',
]);

/** What is not chosen yet when a process asks: no packet has it, so tests of it are false. */
const NOT_YET: readonly string[] = ['ip.src', 'tcp.srcport', 'udp.srcport', 'sctp.srcport'];

/** Whether programs that judge connections can read a field. */
export function isVisibleAtConnect(field: string): boolean {
  return VISIBLE.has(field);
}

/** What is known beforehand at connect-time, beside `known`: there is no source. */
export function knownAtConnect(known: Known | undefined): Known {
  const subject: Subject = {
    field: (name) => (NOT_YET.includes(name) ? undefined : known?.subject.field(name)),
    slice: (protocol, start, end) => known?.subject.slice(protocol, start, end),
  };
  return { fields: new Set([...(known?.fields ?? []), ...NOT_YET]), subject };
}
