import type { IrSpan } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import type { Provenance } from '../model/provenance.ts';

/** Something of a rule that a target of the compiler cannot say as it is meant. */
export interface Refusal {
  readonly hook: Hook;
  /** Ref of the rule; undefined when it is about the hook. */
  readonly rule: string | undefined;
  /** What it is about: `contains`, a field. */
  readonly construct: string;
  readonly message: string;
  /** In the rule's expression. */
  readonly span: IrSpan | undefined;
  readonly provenance: Provenance | undefined;
}

/** Thrown on the way to a rule that a target cannot say, and caught where the rule is known. */
export class Unsayable extends Error {
  readonly code = 'target-unsupported';
  readonly construct: string;
  readonly span: IrSpan | undefined;

  constructor(target: string, construct: string, span?: IrSpan) {
    super(`${target} cannot express ${construct}`);
    this.construct = construct;
    this.span = span;
  }
}

/** A refusal in one line, with its place: `policy.yaml:7:3 web: iptables cannot express ip.id`. */
export function describeRefusal({ provenance, rule, hook, message }: Refusal): string {
  const place = provenance?.kind === 'file' ? `${provenance.span.file}:${provenance.span.line}:${provenance.span.column} ` : '';
  return `${place}${rule ?? hook}: ${message}`;
}
