import type { Rule } from '../../model/rule.ts';

/** A packet comes to a rule that asks a program of the user's: what that says only the kernel can tell. */
export class UnjudgeableError extends Error {
  override readonly name: string = 'UnjudgeableError';
  readonly code = 'user-program';
  readonly rule: Rule;

  constructor(rule: Rule) {
    super(`rule ${rule.ref} asks a program (bpf), and what that says of a packet only the kernel can tell`);
    this.rule = rule;
  }
}
