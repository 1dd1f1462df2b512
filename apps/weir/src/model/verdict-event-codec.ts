import { type Ip, ip4, ip6 } from '@weir/wire/inet';
import { EVENT_HOOKS, EVENT_VERDICTS, type VerdictEvent } from './verdict-event.ts';
import { EVENT_AT as AT, EVENT_OCTETS, EVENT_HAS as HAS } from './verdict-event-layout.ts';

const PROCESS_OCTETS = 16;

/** The number of a hook in records. */
export function hookNumber(hook: VerdictEvent['hook']): number {
  return EVENT_HOOKS.indexOf(hook) + 1;
}

/** The number of a verdict in records. */
function verdictNumber(verdict: VerdictEvent['verdict']): number {
  return EVENT_VERDICTS.indexOf(verdict) + 1;
}

/** Writes the record of an event at `at`; all of its EVENT_OCTETS octets. RangeError where they are not there. */
export function encodeVerdictEvent(view: DataView, at: number, event: VerdictEvent): void {
  const { source, destination, protocol, sourcePort, tcpFlags, pid, uid, cgroup } = event;
  view.setBigUint64(at + AT.time, event.time, true);
  view.setUint32(at + AT.rule, event.rule, true);
  view.setUint32(at + AT.generation, event.generation, true);
  view.setUint32(at + AT.length, event.length, true);
  view.setUint32(at + AT.input, event.input ?? 0, true);
  view.setUint32(at + AT.output, event.output ?? 0, true);
  view.setUint32(at + AT.pid, pid ?? 0, true);
  view.setBigUint64(at + AT.cgroup, cgroup ?? 0n, true);
  view.setUint32(at + AT.uid, uid ?? 0, true);
  view.setUint16(at + AT.sourcePort, sourcePort ?? 0);
  view.setUint16(at + AT.destinationPort, event.destinationPort ?? 0);
  view.setUint8(at + AT.hook, hookNumber(event.hook));
  view.setUint8(at + AT.family, source?.family ?? 0);
  view.setUint8(at + AT.protocol, protocol ?? 0);
  view.setUint8(at + AT.verdict, verdictNumber(event.verdict));
  const has =
    (protocol === undefined ? 0 : HAS.protocol) |
    (sourcePort === undefined ? 0 : HAS.ports) |
    (tcpFlags === undefined ? 0 : HAS.tcpFlags) |
    (pid === undefined ? 0 : HAS.pid) |
    (uid === undefined ? 0 : HAS.uid) |
    (cgroup === undefined ? 0 : HAS.cgroup) |
    (event.audit ? HAS.audit : 0) |
    (event.from === 'nflog' ? HAS.nflog : 0);
  view.setUint8(at + AT.has, has);
  view.setUint8(at + AT.tcpFlags, tcpFlags ?? 0);
  view.setUint16(at + AT.scope, event.scope, true);
  encodeAddress(view, at + AT.source, source);
  encodeAddress(view, at + AT.destination, destination);
  const name = event.process ?? '';
  for (let i = 0; i < PROCESS_OCTETS; i++) view.setUint8(at + AT.process + i, i < name.length ? name.charCodeAt(i) : 0);
}

/** The event of a record; undefined where there are fewer than EVENT_OCTETS octets from `at` on, or where it names a hook, family or verdict that there is not. */
export function decodeVerdictEvent(view: DataView, at: number = 0): VerdictEvent | undefined {
  if (view.byteLength - at < EVENT_OCTETS) return undefined;
  const hook = EVENT_HOOKS[view.getUint8(at + AT.hook) - 1];
  const verdict = EVENT_VERDICTS[view.getUint8(at + AT.verdict) - 1];
  const family = view.getUint8(at + AT.family);
  if (hook === undefined || verdict === undefined || (family !== 0 && family !== 4 && family !== 6)) return undefined;
  const has = view.getUint8(at + AT.has);
  const input = view.getUint32(at + AT.input, true);
  const output = view.getUint32(at + AT.output, true);
  return {
    time: view.getBigUint64(at + AT.time, true),
    from: (has & HAS.nflog) === 0 ? 'ebpf' : 'nflog',
    hook,
    rule: view.getUint32(at + AT.rule, true),
    generation: view.getUint32(at + AT.generation, true),
    scope: view.getUint16(at + AT.scope, true),
    verdict,
    audit: (has & HAS.audit) !== 0,
    length: view.getUint32(at + AT.length, true),
    ...(family === 0
      ? {}
      : { source: decodeAddress(view, at + AT.source, family), destination: decodeAddress(view, at + AT.destination, family) }),
    ...((has & HAS.protocol) === 0 ? {} : { protocol: view.getUint8(at + AT.protocol) }),
    ...((has & HAS.ports) === 0
      ? {}
      : { sourcePort: view.getUint16(at + AT.sourcePort), destinationPort: view.getUint16(at + AT.destinationPort) }),
    ...((has & HAS.tcpFlags) === 0 ? {} : { tcpFlags: view.getUint8(at + AT.tcpFlags) }),
    ...(input === 0 ? {} : { input }),
    ...(output === 0 ? {} : { output }),
    ...((has & HAS.pid) === 0 ? {} : { pid: view.getUint32(at + AT.pid, true) }),
    ...((has & HAS.uid) === 0 ? {} : { uid: view.getUint32(at + AT.uid, true) }),
    ...((has & HAS.cgroup) === 0 ? {} : { cgroup: view.getBigUint64(at + AT.cgroup, true) }),
    ...(view.getUint8(at + AT.process) === 0 ? {} : { process: decodeText(view, at + AT.process) }),
  };
}

function decodeText(view: DataView, at: number): string {
  let text = '';
  for (let i = 0; i < PROCESS_OCTETS && view.getUint8(at + i) !== 0; i++) text += String.fromCharCode(view.getUint8(at + i));
  return text;
}

function encodeAddress(view: DataView, at: number, ip: Ip | undefined): void {
  view.setUint32(at, ip?.w0 ?? 0);
  view.setUint32(at + 4, ip?.w1 ?? 0);
  view.setUint32(at + 8, ip?.w2 ?? 0);
  view.setUint32(at + 12, ip?.w3 ?? 0);
}

function decodeAddress(view: DataView, at: number, family: 4 | 6): Ip {
  const w0 = view.getUint32(at);
  return family === 4 ? ip4(w0) : ip6(w0, view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
}
