import type { VerdictEvent } from '../../model/verdict-event.ts';
import { parseLogPrefix } from './log-prefix.ts';

/** The rule that an event is of. */
export interface RuleName {
  readonly ref: string;
  /** What people call it: `web#20`, `<default>`. */
  readonly label: string;
}

/** The rules of one program, in the order of their numbers. */
export interface ProgramRules {
  readonly generation: number;
  readonly rules: readonly RuleName[];
}

/** The rules of one scope that nf_tables has, by the prefixes that they log with. */
export type LoggedRules = ReadonlyMap<string, RuleName>;

export interface LoggedScope {
  /** A number that no other scope ever has; 0 is the daemon's own. */
  readonly scope: number;
  readonly tenant: string | undefined;
  readonly rules: LoggedRules;
}

/** Programs that are remembered: events of one that has been replaced may still be on their way, and in the history. */
const MOST_PROGRAMS = 256;

/** Knows rules by what records say of them. */
export class RuleNames {
  readonly #programs = new Map<number, readonly RuleName[]>();
  readonly #prefixes = new Map<number, string>();
  /** By prefix and tenant; what the rules were called before is in the prefix itself. */
  #logged = new Map<string, RuleName>();
  readonly #tenants = new Map<number, string | undefined>();

  addProgram({ generation, rules }: ProgramRules): void {
    this.#programs.delete(generation);
    this.#programs.set(generation, rules);
    for (const oldest of this.#programs.keys()) {
      if (this.#programs.size <= MOST_PROGRAMS) break;
      this.#programs.delete(oldest);
    }
  }

  /** What the rules of each scope log with. */
  setLogged(scopes: readonly LoggedScope[]): void {
    for (const { scope, tenant } of scopes) this.#tenants.set(scope, tenant);
    this.#logged = new Map(scopes.flatMap(({ scope, rules }) => [...rules].map(([prefix, rule]) => [`${scope} ${prefix}`, rule] as const)));
  }

  addPrefixes(prefixes: readonly (readonly [id: number, prefix: string])[]): void {
    for (const [id, prefix] of prefixes) this.#prefixes.set(id, prefix);
  }

  /** Undefined where the program or prefix is not known any more. */
  of({ from, generation, rule, scope }: Pick<VerdictEvent, 'from' | 'generation' | 'rule' | 'scope'>): RuleName | undefined {
    if (from === 'ebpf') return this.#programs.get(generation)?.[rule];
    const prefix = this.#prefixes.get(rule);
    if (prefix === undefined) return undefined;
    const known = this.#logged.get(`${scope} ${prefix}`);
    if (known) return known;
    const parsed = parseLogPrefix(prefix);
    return parsed && { ref: parsed.ref, label: parsed.ref };
  }

  tenantOf(scope: number): string | undefined {
    return this.#tenants.get(scope);
  }
}
