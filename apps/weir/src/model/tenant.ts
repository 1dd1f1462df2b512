import type { Firewall } from './firewall.ts';
import type { NamedSet } from './named-set.ts';
import type { Policy } from './policy.ts';
import type { SourceSpan } from './provenance.ts';

/**
 * A network namespace with rules and sets of its own (D2). The names of its sets are its own: elsewhere they are written with the tenant's name before them
 * (`blue/web_allowed`). It has no BGP sessions; the daemon's fill its sets, as their guards say.
 */
export interface Tenant {
  readonly name: string;
  /** Name or path. */
  readonly netns: string;
  /** The interfaces that its rules may name, a trailing `*` being a wildcard; undefined: any. */
  readonly interfaces: readonly string[] | undefined;
  readonly sets: readonly NamedSet[];
  readonly firewall: Firewall | undefined;
  readonly policy: Policy | undefined;
  readonly span: SourceSpan;
}

/** A tenant whose part of the configuration has mistakes: it stays as it was. */
export interface FaultyTenant {
  readonly name: string;
  /** The first mistake, as one line with its place. */
  readonly mistake: string;
  readonly errors: number;
}
