import type { Versioned } from './answers.ts';

/** A packet, or a connection that a process asked for, and what a rule did with it. What is not known is absent. */
export interface VerdictSummary {
  readonly at: string;
  /** The machine. */
  readonly node: string;
  readonly tenant?: string;
  readonly hook: string;
  /** allow, deny, reject, log, mark, skip. */
  readonly verdict: string;
  /** The verdict was only noted. */
  readonly audit?: boolean;
  /** ebpf or nflog. */
  readonly from: string;
  /** Of eBPF programs. */
  readonly generation?: number;
  /** The `ref` of the rule, and what people call it: `web#20`, `<default>`. Absent where the rules of then are forgotten. */
  readonly rule?: string;
  readonly rule_label?: string;
  readonly source?: string;
  /** Of the route that covers the source, among those that fill sets. */
  readonly source_as?: number;
  readonly source_port?: number;
  readonly destination?: string;
  readonly destination_port?: number;
  readonly protocol?: number;
  readonly tcp_flags?: string;
  readonly length: number;
  readonly in_interface?: string;
  readonly out_interface?: string;
  readonly process?: string;
  readonly pid?: number;
  readonly uid?: number;
  /** The id of a cgroup, as a decimal number. */
  readonly cgroup?: string;
}

export interface VerdictsAnswer extends Versioned {
  readonly verdicts: readonly VerdictSummary[];
  /** Events that were dropped before these, because the reader was too slow. */
  readonly lost: number;
}

/** Verdict events since the daemon was started, and where some were lost. */
export interface EventCounts {
  /** By verdict, as they came to the daemon. */
  readonly verdicts: { readonly [verdict: string]: number };
  readonly from: { readonly ebpf: number; readonly nflog: number };
  /** Packets that rules of others log to the same group. */
  readonly foreign: number;
  /** Left out by log_sample and log_rate; of nf_tables the kernel does not count them. */
  readonly sampled_out: number;
  readonly lost: {
    /** The ring buffer of the programs, or the buffer of nfnetlink_log, was full. */
    readonly ring: number;
    readonly nflog: number;
    /** The daemon was too slow for its reader. */
    readonly queue: number;
    /** A subscriber was too slow. */
    readonly subscribers: number;
  };
  /** What cannot be read, and why. */
  readonly problems: readonly { readonly subject: string; readonly message: string }[];
}
