import type { Expr } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import type { UserProgram } from './match-program.ts';
import type { SourceSpan } from './provenance.ts';
import type { LogSampling, PolicyAction } from './rule.ts';

/** The fields of a rule as its file gives them, with the names of the file: what the compiled form prints again (B3). */
export interface PolicyFields {
  readonly source_cidrs: readonly string[];
  readonly destination_cidrs: readonly string[];
  readonly source_ports: readonly string[];
  readonly destination_ports: readonly string[];
  readonly protocol: string;
  readonly in_interface: readonly string[];
  readonly out_interface: readonly string[];
  readonly state: readonly string[];
  readonly expression: string | undefined;
}

/** A rule as written, checked. */
export interface PolicyRule {
  /** `ref`, else the name. Unique in the policy. */
  readonly ref: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly hooks: readonly Hook[];
  readonly priority: number;
  /** The conjunction of all its fields and its expression. */
  readonly expression: Expr;
  /** The same as text in the filter language. */
  readonly text: string;
  /** A program of the user's that is part of the expression. */
  readonly program?: UserProgram | undefined;
  readonly action: PolicyAction;
  readonly log: boolean;
  /** Which of the packets that it logs are logged; all when absent. */
  readonly sampling?: LogSampling | undefined;
  readonly audit: boolean;
  /** A rule that is not enabled is shown and not enforced. */
  readonly enabled: boolean;
  /** Milliseconds since the epoch from which on it is not enforced. */
  readonly until: number | undefined;
  readonly fields: PolicyFields;
  readonly span: SourceSpan;
}

/** Defaults by hook. */
export type DefaultsAt = { readonly [H in Hook]?: { readonly action: 'allow' | 'deny'; readonly span: SourceSpan } };

/** Policy files put together. Rules are in the order of judgement: by priority, then by file and line. */
export interface Policy {
  readonly files: readonly string[];
  /** For every hook that a rule names. */
  readonly defaultAction: 'allow' | 'deny';
  readonly defaultSpan: SourceSpan | undefined;
  /** What the default is instead at some hooks. */
  readonly defaultsAt?: DefaultsAt | undefined;
  /** The default is only counted and logged (all files are in audit mode). */
  readonly defaultAudit: boolean;
  /** Kept from the file (B1). */
  readonly generatedAt: string | undefined;
  readonly rules: readonly PolicyRule[];
}
