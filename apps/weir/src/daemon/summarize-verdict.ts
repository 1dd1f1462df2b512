import { describeTcpFlags } from '@weir/filter/packet';
import { type Ip, printIp } from '@weir/wire/inet';
import type { VerdictSummary } from '../api/index.ts';
import type { NamedVerdict } from '../observe/verdicts/index.ts';

export interface SummaryContext {
  readonly node: string;
  /** How the clocks stand: milliseconds since the epoch, and nanoseconds since the machine was started. */
  readonly clocks: { readonly wall: number; readonly boot: bigint };
  readonly sourceAs: (ip: Ip) => number | undefined;
}

/** A verdict event as the API gives it. */
export function summarizeVerdict(
  { event, rule, tenant, input, output }: NamedVerdict,
  { node, clocks, sourceAs }: SummaryContext,
): VerdictSummary {
  const { source, destination, sourcePort, destinationPort, protocol, tcpFlags, process, pid, uid, cgroup } = event;
  // At connect the source is not chosen yet.
  const from = event.hook === 'connect' ? undefined : source;
  const as = from && sourceAs(from);
  return {
    at: new Date(clocks.wall - Number((clocks.boot - event.time) / 1000n) / 1000).toISOString(),
    node,
    ...(tenant === undefined ? {} : { tenant }),
    hook: event.hook,
    verdict: event.verdict,
    ...(event.audit ? { audit: true } : {}),
    from: event.from,
    ...(event.from === 'ebpf' ? { generation: event.generation } : {}),
    ...(rule ? { rule: rule.ref, rule_label: rule.label } : {}),
    ...(from ? { source: printIp(from) } : {}),
    ...(as === undefined ? {} : { source_as: as }),
    ...(from && sourcePort !== undefined ? { source_port: sourcePort } : {}),
    ...(destination ? { destination: printIp(destination) } : {}),
    ...(destinationPort === undefined ? {} : { destination_port: destinationPort }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(tcpFlags === undefined || event.hook === 'connect' ? {} : { tcp_flags: describeTcpFlags(tcpFlags) }),
    length: event.length,
    ...(input === undefined ? {} : { in_interface: input }),
    ...(output === undefined ? {} : { out_interface: output }),
    ...(process === undefined ? {} : { process }),
    ...(pid === undefined ? {} : { pid }),
    ...(uid === undefined ? {} : { uid }),
    ...(cgroup === undefined ? {} : { cgroup: String(cgroup) }),
  };
}
