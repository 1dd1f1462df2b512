/**
 * Why an ELF object cannot be used. `no-library`: this machine has no libbpf.so.1. `not-an-object`: these octets are no eBPF object that libbpf reads. `no-program`: it has none of that
 * name. `not-loaded`: what is asked for is there once the object is loaded. `wrong-type`: a program is of
 * another type than it has to be where it is used.
 */
export type ObjectProblem = 'no-library' | 'not-an-object' | 'no-program' | 'not-loaded' | 'wrong-type';

/** An ELF object cannot be used, for a reason that is not the kernel's. */
export class ObjectError extends Error {
  override readonly name: string = 'ObjectError';
  readonly code: ObjectProblem;
  /** As it was opened. */
  readonly object: string;

  constructor(code: ObjectProblem, object: string, message: string) {
    super(`object ${object}: ${message}`);
    this.code = code;
    this.object = object;
  }
}
