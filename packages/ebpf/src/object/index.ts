/** ELF objects with eBPF programs, as C compilers make them, through libbpf. Without libbpf only this does not work. */
export { BpfObject, type LoadOptions, libbpfVersion, type ObjectMap, type ObjectProgram } from './bpf-object.ts';
export { ObjectError, type ObjectProblem } from './object-error.ts';
