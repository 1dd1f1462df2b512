import type { Register } from '@weir/ebpf/asm';
import { CONTEXT, type Place, type RuleAssembler } from './layout.ts';

/** Loads the length of the whole packet or frame into `to`. */
export function loadFrameLength(asm: RuleAssembler, place: Place, to: Register): void {
  if (place !== 'xdp') {
    // struct __sk_buff, len.
    asm.load(to, 'u32', CONTEXT, 0);
    return;
  }
  asm.mov('r1', CONTEXT).call('xdp_get_buff_len');
  if (to !== 'r0') asm.mov(to, 'r0');
}

/**
 * Copies octets of the packet to the stack, wherever they lie in the buffer: from offset r2, to `slot`, as many as r4 says or `size`. r0 to r5 are lost. The octets must be there:
 * when they are not, the slot keeps what it had or is zero.
 */
export function copyOctets(asm: RuleAssembler, place: Place, slot: number, size?: number): void {
  asm.mov('r1', CONTEXT).mov('r3', 'r10').alu('r3', '+=', slot);
  if (size !== undefined) asm.mov('r4', size);
  asm.call(place === 'xdp' ? 'xdp_load_bytes' : 'skb_load_bytes');
}

/** -1 where `register` is negative, else 0. */
export function signMask(asm: RuleAssembler, register: Register): void {
  asm.alu(register, 's>>=', 63);
}

/** -1 where `register`, which is not negative, is 0; else 0. */
export function zeroMask(asm: RuleAssembler, register: Register): void {
  asm.alu(register, '-=', 1).alu(register, 's>>=', 63);
}

/** `register` becomes the lesser of it and `limit`; `work` is lost. */
export function atMost(asm: RuleAssembler, register: Register, limit: number, work: Register): void {
  asm.alu(register, '-=', limit).mov(work, register);
  signMask(asm, work);
  asm.alu(register, '&=', work).alu(register, '+=', limit);
}
