import { CONTEXT, type RuleAssembler } from '../layout.ts';

/** struct bpf_sock_addr, sk; struct bpf_sock, mark. */
const SOCK_ADDR_SK = 64;
const SOCK_MARK = 16;

/** Facts about the process that asks. */
export const CALLER_FACTS: ReadonlyMap<string, (asm: RuleAssembler) => void> = new Map([
  ['process.uid', (asm: RuleAssembler) => void asm.call('get_current_uid_gid').mov('w1', 'w0')],
  ['cgroup.id', (asm: RuleAssembler) => void asm.call('get_current_cgroup_id').mov('r1', 'r0')],
]);

/** r1: the mark of the socket. */
export function loadSocketMark(asm: RuleAssembler): void {
  asm.load('r1', 'u64', CONTEXT, SOCK_ADDR_SK).load('r1', 'u32', 'r1', SOCK_MARK);
}
