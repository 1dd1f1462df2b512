import type { IrSpan } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import type { Provenance } from '../../../model/provenance.ts';

/** Something that nf_tables cannot do as it is meant. */
export interface NftProblem {
  readonly code: 'nft-unsupported' | 'nft-too-complex' | 'nft-hook';
  readonly hook: Hook;
  /** Ref of the rule; undefined when it is about the hook. */
  readonly rule: string | undefined;
  /** What it is about: `contains`, `len`, a field. */
  readonly construct: string;
  readonly message: string;
  /** In the rule's expression. */
  readonly span: IrSpan | undefined;
  readonly provenance: Provenance | undefined;
}

/** Thrown on the way to a rule that cannot be compiled, and caught where the rule is known. */
export class Inexpressible extends Error {
  readonly code: NftProblem['code'];
  readonly construct: string;
  readonly span: IrSpan | undefined;

  constructor(code: NftProblem['code'], construct: string, message: string, span?: IrSpan) {
    super(message);
    this.code = code;
    this.construct = construct;
    this.span = span;
  }
}

/** The one for a construct that only another engine has. */
export function unsupported(construct: string, span: IrSpan | undefined): Inexpressible {
  return new Inexpressible('nft-unsupported', construct, `nf_tables cannot express ${construct}: use the eBPF engine for this rule`, span);
}

/** A problem in one line, with its place: `policy.yaml:7:3 web: nf_tables cannot express contains: use the eBPF engine for this rule`. */
export function describeProblem({ provenance, rule, hook, message }: NftProblem): string {
  const place = provenance?.kind === 'file' ? `${provenance.span.file}:${provenance.span.line}:${provenance.span.column} ` : '';
  return `${place}${rule ?? hook}: ${message}`;
}
