import type { Family } from '@weir/wire/inet';
import type { Condition } from './condition.ts';
import type { Entry } from './report.ts';

/** Hooks that a policy has and that iptables and nf_tables can filter at. */
export type ImportHook = 'prerouting' | 'input' | 'forward' | 'output';

export const HOOKS: readonly ImportHook[] = ['prerouting', 'input', 'forward', 'output'];

export type RejectWith = 'port-unreachable' | 'admin-prohibited' | 'tcp-reset';

/** A rate that a clause minds. `over`: it matches what is over the rate, and not what is under it. */
export interface Limit {
  readonly over: boolean;
  readonly unit: 'packets' | 'bytes';
  /** Per second; may be a fraction. */
  readonly rate: number;
  readonly burst: number;
  readonly per: 'rule' | 'source' | 'destination';
  /** Bits of the address that count, by family. */
  readonly prefix?: { readonly ip4: number; readonly ip6: number };
}

export type ClauseAction =
  | { readonly kind: 'accept' | 'drop' | 'log' | 'return' }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  | { readonly kind: 'mark'; readonly mark: number }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** One step of a chain: where all conditions hold, the action is done. */
export interface Clause {
  readonly entry: Entry;
  readonly conditions: readonly Condition[];
  readonly limit: Limit | undefined;
  readonly action: ClauseAction;
  /** The comment of the original. */
  readonly comment: string | undefined;
}

export interface Chain {
  readonly name: string;
  /** Undefined: the chain is declared nowhere in the input but known to be there. */
  readonly entry: Entry;
  readonly clauses: readonly Clause[];
}

/** A chain that the kernel calls at a hook. */
export interface BaseChain {
  readonly hook: ImportHook;
  /** Lower is called first. */
  readonly priority: number;
  /** What it sees; undefined is both. */
  readonly family: Family | undefined;
  readonly policy: 'accept' | 'drop';
  readonly chain: Chain;
  /** Chains that it may call, by name. */
  readonly callable: ReadonlyMap<string, Chain>;
}

/** A set of the input that rules look addresses up in. */
export interface NamedSet {
  readonly name: string;
  /** What it is called in the input. */
  readonly original: string;
  /** Prefixes; undefined: the input does not say, the set is to be filled. */
  readonly members: readonly string[] | undefined;
  /** What it is to be filled with. */
  readonly purpose: string;
}

/** An input, read. */
export interface Program {
  readonly baseChains: readonly BaseChain[];
  readonly sets: readonly NamedSet[];
  /** Every item of the input, in its order. */
  readonly entries: readonly Entry[];
}
