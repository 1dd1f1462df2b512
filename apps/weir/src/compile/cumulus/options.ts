import type { Hook } from '@weir/filter/scheme';

/** What a switch's ACL files may say. */
export interface CumulusOptions {
  /** Hooks whose rules are written; those of eBPF programs never are. */
  readonly hooks: readonly Hook[];
  /** Interfaces that the rules are about, as iptables names them: `swp+` is each that begins so, `+` each. Those that packets come in by. */
  readonly inInterfaces: readonly string[];
  /** At `output`: those that packets go out by. */
  readonly outInterfaces: readonly string[];
  /** The target tracks connections: `-m conntrack` may be asked, and fragments are put together before the rules. */
  readonly state: boolean;
  /** `iptables`: all that iptables can say. `hardware`: only what the ACLs of a switch's ASIC match on. */
  readonly matches: 'iptables' | 'hardware';
  /** Lines of one family at most. */
  readonly maxRules: number;
}

export const CUMULUS_HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output'];

export const DEFAULT_CUMULUS: CumulusOptions = {
  hooks: CUMULUS_HOOKS,
  inInterfaces: ['swp+'],
  outInterfaces: ['swp+'],
  state: false,
  matches: 'iptables',
  maxRules: 4096,
};
