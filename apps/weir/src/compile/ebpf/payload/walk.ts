import type { Label } from '@weir/ebpf/asm';
import { type Place, type RuleAssembler, STACK } from '../layout.ts';
import { atMost } from '../read-packet.ts';
import { ACCEPT, AUTOMATA } from './automata-table.ts';

/** Octets of the packet that are looked at in one go. */
export const CHUNK = 64;

/** Where the function keeps what does not fit into registers, in the scratch octets of the program's frame. */
const LEFT = STACK.scratch;
const CLASSES = STACK.scratch + 8;
const TAKEN = STACK.scratch + 16;

/**
 * walk(context, frame of the program, offset of the first octet in the packet, how many octets, offset of an automaton in the table): other than 0 where the automaton accepts the octets. It has no stack of its
 * own. All that it goes by are numbers that the verifier does not know, so that it takes each loop once or twice whoever calls.
 *
 * Nothing is accepted that cannot be read: xdp_load_bytes begins at octet 65,535 of a frame at the latest.
 *
 * r6 is the context, r7 the frame, r8 the offset of the next chunk, r9 the row.
 */
export function emitWalk(asm: RuleAssembler, place: Place, walk: Label, mask: number): void {
  const chunk = asm.label('next chunk');
  const octet = asm.label('next octet');
  const ended = asm.label('no more octets');
  const done = asm.label('row known');
  const endless = asm.label('no end');
  asm.function(walk, 'walk');
  asm.mov('r6', 'r1').mov('r7', 'r2').mov('r8', 'r3').store('u64', 'r7', LEFT, 'r4');
  emitHeader(asm, mask);
  asm.store('u64', 'r7', CLASSES, 'r1');

  asm.place(chunk).mayGoto(endless);
  // The lesser of what is left and a chunk, in a way that tells the verifier nothing: it would follow each number.
  asm.load('r4', 'u64', 'r7', LEFT).mov('r1', 'r4').alu('r1', '-=', CHUNK).alu('r1', '^=', 0).store('u64', 'r7', LEFT, 'r1');
  atMost(asm, 'r4', CHUNK, 'r1');
  asm.jump('r4', 's<=', 0, ended);
  asm.jump('r4', 's>', CHUNK, endless).store('u64', 'r7', TAKEN, 'r4');
  asm.mov('r1', 'r6').mov('r2', 'r8').mov('r3', 'r7').alu('r3', '+=', STACK.buffer);
  asm.call(place === 'xdp' ? 'xdp_load_bytes' : 'skb_load_bytes').jump('r0', 's<', 0, endless);
  // r0: the octet at hand; r1: the buffer; r2: the classes; r3: the table; r4: how many octets.
  asm.load('r4', 'u64', 'r7', TAKEN).alu('r8', '+=', 'r4');
  // r0 is 0, in a way that the verifier does not know.
  asm.mov('r0', 'r4').alu('r0', '^=', -1).alu('r0', '&=', 'r4');
  asm.mov('r1', 'r7').alu('r1', '+=', STACK.buffer).mapValue('r3', AUTOMATA, 0);
  asm.load('r2', 'u64', 'r7', CLASSES).alu('r2', '&=', mask).alu('r2', '+=', 'r3');

  asm.place(octet).mayGoto(endless).jump('r0', '>=', 'r4', chunk);
  asm
    .mov('r5', 'r0')
    .alu('r5', '&=', CHUNK - 1)
    .alu('r5', '+=', 'r1')
    .load('r5', 'u8', 'r5', 0);
  asm.alu('r5', '+=', 'r2').load('r5', 'u8', 'r5', 0);
  emitStep(asm, mask);
  asm.alu('r0', '+=', 1).jump('r9', '>', ACCEPT, octet);
  asm.place(done).mov('r0', 'r9').exit();

  asm.place(ended);
  emitEnd(asm, mask);
  asm.goto(done);
  // No packet is so long, and what is in it can be read.
  asm.place(endless).mov('r0', 0).exit();
}

/**
 * walk_name(context, address of 16 octets, anything, anything, offset of an automaton in the table): the same for the octets before the first zero, of which there has to be one. The automaton is made for that
 * (`terminated`).
 */
export function emitWalkName(asm: RuleAssembler, walk: Label, mask: number): void {
  const done = asm.label('row known');
  asm.function(walk, 'walk_name');
  asm.mov('r4', 'r2');
  emitHeader(asm, mask);
  asm.mapValue('r3', AUTOMATA, 0).mov('r2', 'r1').alu('r2', '&=', mask).alu('r2', '+=', 'r3');
  for (let at = 0; at < 16; at++) {
    asm.load('r5', 'u8', 'r4', at).alu('r5', '+=', 'r2').load('r5', 'u8', 'r5', 0);
    emitStep(asm, mask);
    asm.jump('r9', '<=', ACCEPT, done);
  }
  asm.mov('r9', 0).place(done).mov('r0', 'r9').exit();
}

/** r1: where the classes are, r9: the first row of the automaton at r5. r2 is lost. */
function emitHeader(asm: RuleAssembler, mask: number): void {
  asm.mapValue('r2', AUTOMATA, 0).alu('r5', '&=', mask).alu('r5', '+=', 'r2');
  asm.load('r1', 'u32', 'r5', 0).load('r9', 'u32', 'r5', 4);
}

/** r9 becomes the row that the class in r5 leads to; r3 is the table. */
function emitStep(asm: RuleAssembler, mask: number): void {
  asm.alu('r5', '<<=', 2).alu('r5', '+=', 'r9').alu('r5', '&=', mask).alu('r5', '+=', 'r3').load('r9', 'u32', 'r5', 0);
}

/** r9 becomes what the row says of a value that ends there. */
function emitEnd(asm: RuleAssembler, mask: number): void {
  asm.alu('r9', '-=', 4).alu('r9', '&=', mask).mapValue('r3', AUTOMATA, 0).alu('r3', '+=', 'r9').load('r9', 'u32', 'r3', 0);
}
