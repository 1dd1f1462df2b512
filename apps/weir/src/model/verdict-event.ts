import type { Hook } from '@weir/filter/scheme';
import type { Ip } from '@weir/wire/inet';

/** What a rule did: `log`, `mark` and `skip` of rules that let the judgement go on. */
export const EVENT_VERDICTS = ['allow', 'deny', 'log', 'mark', 'skip', 'reject'] as const;
export type EventVerdict = (typeof EVENT_VERDICTS)[number];

/** In the order of their numbers in records, from 1. */
export const EVENT_HOOKS: readonly [Hook, ...Hook[]] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc', 'connect'];

/**
 * A packet, or a connection that a process asked for, that a rule with `log`, `audit` or the action log has seen. One shape for every hook: programs write it into the ring
 * buffer, what nf_tables logs is made into the same. What the hook does not know is absent.
 */
export interface VerdictEvent {
  /** Nanoseconds since the machine was started, its sleep included (CLOCK_BOOTTIME). */
  readonly time: bigint;
  /** Who said it: a program, or nf_tables through nfnetlink_log. */
  readonly from: 'ebpf' | 'nflog';
  readonly hook: Hook;
  /** Of `ebpf` the number of the rule in its program, from 0; of `nflog` the number of the prefix that it was logged with. */
  readonly rule: number;
  /** Of `ebpf` which program it was; of `nflog` 0. */
  readonly generation: number;
  /** In which network namespace: 0 is the daemon's own, others are numbered in the order of the tenants, from 1. */
  readonly scope: number;
  readonly verdict: EventVerdict;
  /** The verdict was only noted: the packet went on to the rules that follow. */
  readonly audit: boolean;
  /** Octets of the packet from its IP header on. */
  readonly length: number;
  /** Absent with both addresses where the packet is not IP. */
  readonly source?: Ip;
  readonly destination?: Ip;
  readonly protocol?: number;
  /** TCP, UDP and SCTP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly tcpFlags?: number;
  /** Indices of interfaces, where the packet came in and where it leaves. */
  readonly input?: number;
  readonly output?: number;
  /** The process that connects. */
  readonly pid?: number;
  /** Of the socket that sends. */
  readonly uid?: number;
  /** The id of its cgroup. */
  readonly cgroup?: bigint;
  /** What the process that connects calls itself, at most 15 octets, a character each. Anybody may call a process anything. */
  readonly process?: string;
}
