import { closeFd } from '@weir/sys';
import { BpfError } from './bpf-error.ts';
import { findKfuncs, openModuleBtf } from './kernel-btf.ts';

/**
 * Functions of the kernel and its modules that a program calls, as `bindProgram` and `BpfProgram.load` want them: ids by name, and the descriptors that they count in. Open until `close`, which
 * may come once the program is loaded. BpfError `unsupported` that names the first one which this kernel has not.
 */
export class KernelFunctions {
  /** For `Bindings.kernelFunctions`. */
  readonly functions: ReadonlyMap<string, { readonly btfId: number; readonly module: number }>;
  /** For `ProgramSpec.fdArray`. */
  readonly fdArray: readonly number[];
  #closed = false;

  constructor(names: readonly string[]) {
    const found = findKfuncs(names);
    const missing = names.find((name) => !found.has(name));
    if (missing !== undefined) throw new BpfError({ operation: 'find', object: `kernel function ${missing}`, reason: 'unsupported' }, 2);
    // Entry 0 stands for the kernel itself.
    const descriptors: number[] = [0];
    const places = new Map<string, number>();
    const functions = new Map<string, { readonly btfId: number; readonly module: number }>();
    try {
      for (const { name, id, module } of found.values()) {
        let place = module === undefined ? 0 : places.get(module);
        if (module !== undefined && place === undefined) {
          const fd = openModuleBtf(module);
          if (fd === undefined) throw new BpfError({ operation: 'find', object: `kernel module ${module}`, reason: 'absent' }, 2);
          place = descriptors.push(fd) - 1;
          places.set(module, place);
        }
        functions.set(name, { btfId: id, module: place ?? 0 });
      }
    } catch (error) {
      for (const fd of descriptors.slice(1)) closeFd(fd);
      throw error;
    }
    this.functions = functions;
    this.fdArray = descriptors;
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of this.fdArray.slice(1)) closeFd(fd);
  }
}
