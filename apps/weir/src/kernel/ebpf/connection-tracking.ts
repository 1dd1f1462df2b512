import { BpfError, findStruct } from '@weir/ebpf/kernel';

const ENOENT = 2;

let offset: bigint | undefined;

/** Where `status` is in struct nf_conn, in octets. BpfError `unsupported` on a kernel without connection tracking, or without types. */
export function statusOffset(): bigint {
  if (offset !== undefined) return offset;
  const member = findStruct('nf_conn')?.members.find(({ name }) => name === 'status');
  if (!member)
    throw new BpfError({ operation: 'find', object: 'struct nf_conn', reason: 'unsupported', detail: 'connection tracking' }, ENOENT);
  offset = BigInt(member.bitOffset >> 3);
  return offset;
}
