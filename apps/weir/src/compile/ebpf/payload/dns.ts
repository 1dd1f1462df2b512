import type { Label } from '@weir/ebpf/asm';
import { type Place, type RuleAssembler, STACK } from '../layout.ts';

const HEADER = 12;
const MAX_LABEL = 63;
const MAX_NAME = 255;
/** Type and class of the question. */
const AFTER_NAME = 4;

const NAME = STACK.scratch + 16;

/** dns(context, frame of the program, offset of a UDP payload in the packet, its octets): other than 0 where it is one well-formed DNS query, as `isDnsQuery` of the filter language says. */
export function emitDns(asm: RuleAssembler, place: Place, dns: Label): void {
  const no = asm.label('no query');
  const next = asm.label('next label');
  const load = (octets: number): void => {
    asm.mov('r1', 'r6').mov('r2', 'r8').mov('r3', 'r7').alu('r3', '+=', STACK.scratch).mov('r4', octets);
    asm.call(place === 'xdp' ? 'xdp_load_bytes' : 'skb_load_bytes');
  };
  asm.function(dns, 'dns');
  asm.mov('r6', 'r1').mov('r7', 'r2').mov('r8', 'r3').mov('r9', 'r3').alu('r9', '+=', 'r4');
  asm.jump('r4', 's<', HEADER, no);
  load(HEADER);
  // Neither a response nor the bit that has to be 0; one question, no answer.
  asm
    .load('r1', 'u16', 'r7', STACK.scratch + 2)
    .byteOrder('r1', 'be', 16)
    .alu('r1', '&=', 0x8040)
    .jump('r1', '!=', 0, no);
  asm
    .load('r1', 'u16', 'r7', STACK.scratch + 4)
    .byteOrder('r1', 'be', 16)
    .jump('r1', '!=', 1, no);
  asm.load('r1', 'u16', 'r7', STACK.scratch + 6).jump('r1', '!=', 0, no);
  asm.alu('r8', '+=', HEADER).store('u64', 'r7', NAME, 'r8');
  asm.place(next).mayGoto(no).jump('r8', '>=', 'r9', no);
  load(1);
  asm.load('r1', 'u8', 'r7', STACK.scratch).jump('r1', '>', MAX_LABEL, no);
  asm.alu('r8', '+=', 1).alu('r8', '+=', 'r1').load('r2', 'u64', 'r7', NAME);
  asm.mov('r3', 'r8').alu('r3', '-=', 'r2').jump('r3', '>', MAX_NAME, no).jump('r1', '!=', 0, next);
  asm.alu('r8', '+=', AFTER_NAME).jump('r8', '>', 'r9', no).mov('r0', 1).exit();
  asm.place(no).mov('r0', 0).exit();
}
