import { readFileSync } from 'node:fs';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, BpfError, type BpfFailure } from './bpf-error.ts';
import { BTF_KIND, Btf, type BtfStruct } from './btf.ts';
import { objectInfo } from './object-info.ts';
import { eachId, withDescriptor } from './objects.ts';

/** The kernel's own types. */
const VMLINUX_BTF = '/sys/kernel/btf/vmlinux';

/** A function of the kernel that programs call by its id; `module` is where it is, and undefined for the kernel itself. */
export interface Kfunc {
  readonly name: string;
  readonly id: number;
  readonly module: string | undefined;
}

const ENOENT = 2;
const INFO = 32;
/** Bytes of the BTF of one module. */
const MAX_MODULE = 64 * 1024 * 1024;

let vmlinux: Btf | undefined;

/** The kernel's types, read at the first call (some MiB) and kept. BpfError `unsupported` on a kernel without. */
export function vmlinuxBtf(path: string = VMLINUX_BTF): Btf {
  if (path === VMLINUX_BTF && vmlinux) return vmlinux;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const errno = -((error as NodeJS.ErrnoException).errno ?? 0);
    const reason = errno === ENOENT ? ({ reason: 'unsupported', detail: 'it was built without CONFIG_DEBUG_INFO_BTF' } as const) : {};
    throw new BpfError({ operation: 'read', object: `the kernel's types at ${path}`, ...reason }, errno);
  }
  const read = new Btf(bytes);
  if (path === VMLINUX_BTF) vmlinux = read;
  return read;
}

/** Forgets the kernel's types, and with them their memory, until they are asked for again. */
export function forgetVmlinuxBtf(): void {
  vmlinux = undefined;
}

/** Finds functions among the kernel's types, and those that are not there among the modules'. That a function has types does not mean that every program may call it. BpfError. */
export function findKfuncs(names: readonly string[]): ReadonlyMap<string, Kfunc> {
  const found = new Map<string, Kfunc>();
  const base = vmlinuxBtf();
  for (const [name, id] of base.find(BTF_KIND.func, names)) found.set(name, { name, id, module: undefined });
  const rest = names.filter((name) => !found.has(name));
  if (rest.length === 0) return found;
  for (const module of listModules()) {
    const bytes = module.bytes();
    if (!bytes) continue;
    for (const [name, id] of new Btf(bytes, base).find(BTF_KIND.func, rest)) {
      if (!found.has(name)) found.set(name, { name, id, module: module.name });
    }
  }
  return found;
}

/** A struct of the kernel, or of a module where the kernel has none of that name; undefined where neither has. BpfError. */
export function findStruct(name: string): BtfStruct | undefined {
  const base = vmlinuxBtf();
  const own = base.struct(name);
  if (own) return own;
  for (const module of listModules()) {
    const bytes = module.bytes();
    const found = bytes && new Btf(bytes, base).struct(name);
    if (found) return found;
  }
  return undefined;
}

/**
 * A descriptor of a module's types, for `fdArray` of a program that calls its functions; the caller closes it. undefined where the module is not loaded or has no types. Needs
 * CAP_SYS_ADMIN. BpfError.
 */
export function openModuleBtf(module: string): number | undefined {
  const found = listModules().find((one) => one.name === module);
  if (!found) return undefined;
  const failure: BpfFailure = { operation: 'open', object: `the types of module ${module}`, needs: ['CAP_SYS_ADMIN'] };
  return attempt(failure, () => new Attribute().u32(0, found.id).call(COMMAND.btfById));
}

interface ModuleBtf {
  readonly id: number;
  readonly name: string;
  /** undefined when it went meanwhile. */
  readonly bytes: () => Uint8Array | undefined;
}

function listModules(): readonly ModuleBtf[] {
  return attempt({ operation: 'list', object: 'the types of modules', needs: ['CAP_SYS_ADMIN'] }, () => {
    const found: ModuleBtf[] = [];
    eachId(COMMAND.nextBtfId, (id) => {
      const name = withDescriptor(COMMAND.btfById, id, moduleName);
      if (name !== undefined) found.push({ id, name, bytes: () => withDescriptor(COMMAND.btfById, id, readBtf) });
    });
    return found;
  });
}

/** `struct bpf_btf_info`: bytes u64, their number u32, id u32, name u64, its length u32, whether it is the kernel's u32. */
function moduleName(fd: number): string | undefined {
  const name = new Uint8Array(64);
  const info = objectInfo(fd, INFO, (view, at) => {
    view.setBigUint64(16, at(name), true);
    view.setUint32(24, name.length, true);
  });
  const end = name.indexOf(0);
  const text = new TextDecoder().decode(name.subarray(0, end < 0 ? name.length : end));
  return info.getUint32(28, true) === 1 && text !== 'vmlinux' ? text : undefined;
}

function readBtf(fd: number): Uint8Array {
  const length = Math.min(objectInfo(fd, INFO).getUint32(8, true), MAX_MODULE);
  const bytes = new Uint8Array(length);
  objectInfo(fd, INFO, (view, at) => {
    view.setBigUint64(0, at(bytes), true);
    view.setUint32(8, length, true);
  });
  return bytes;
}
