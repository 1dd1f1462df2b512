import type { IrSpan } from '@weir/filter/ir';
import type { Refusal } from '../../refusal.ts';

/** Something that nf_tables cannot do as it is meant. */
export interface NftProblem extends Refusal {
  readonly code: 'nft-unsupported' | 'nft-too-complex' | 'nft-hook';
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
  return new Inexpressible('nft-unsupported', construct, `nf_tables cannot express ${construct}: it takes an eBPF program`, span);
}
