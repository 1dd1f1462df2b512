import { BpfError, findKfuncs, findStruct } from '@weir/ebpf/kernel';
import { CAST_TO_KERNEL_CONTEXT, NF_CONN_STATUS, SK_BUFF_NFCT } from '../../model/kernel-layout.ts';

const ENOENT = 2;
const MEMBERS: ReadonlySet<string> = new Set([NF_CONN_STATUS, SK_BUFF_NFCT]);

const offsets = new Map<string, bigint>();

/** The offset that a program names as `struct.member`, in octets; undefined for other names. BpfError `unsupported` on a kernel without connection tracking, or without types. */
export function memberOffset(symbol: string): bigint | undefined {
  if (!MEMBERS.has(symbol)) return undefined;
  const known = offsets.get(symbol);
  if (known !== undefined) return known;
  const [struct = '', member] = symbol.split('.');
  const found = findStruct(struct)?.members.find(({ name }) => name === member);
  if (!found) throw new BpfError({ operation: 'find', object: symbol, reason: 'unsupported', detail: 'connection tracking' }, ENOENT);
  const offset = BigInt(found.bitOffset >> 3);
  offsets.set(symbol, offset);
  return offset;
}

/** Of the kernel functions that a program calls, those that it does without because this kernel has them not. BpfError. */
export function absentFunctions(names: readonly string[]): ReadonlySet<string> {
  const optional = names.filter((name) => name === CAST_TO_KERNEL_CONTEXT);
  if (optional.length === 0) return new Set();
  const found = findKfuncs(optional);
  return new Set(optional.filter((name) => !found.has(name)));
}
