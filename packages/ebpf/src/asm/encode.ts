import type { Instruction } from './instruction.ts';
import { InstructionWriter } from './instruction-writer.ts';
import { IMMEDIATE } from './opcodes.ts';

/**
 * The words of instructions (low, immediate; two a slot). Jump offsets are those that the instructions have: `Assembler` is what knows labels.
 * @throws AssemblyError for operands that do not fit
 */
export function encodeInstructions(instructions: Iterable<Instruction>): Int32Array {
  const writer = new InstructionWriter();
  for (const instruction of instructions) write(writer, instruction);
  return writer.written().words;
}

function write(writer: InstructionWriter, one: Instruction): InstructionWriter {
  switch (one.kind) {
    case 'alu':
      return writer.alu(one.to, one.operator, one.source);
    case 'mov':
      return writer.mov(one.to, one.source);
    case 'mov-signed':
      return writer.movSigned(one.to, one.size, one.source);
    case 'negate':
      return writer.neg(one.to);
    case 'byte-order':
      return writer.byteOrder(one.to, one.order, one.bits);
    case 'byte-swap':
      return writer.byteSwap(one.to, one.bits);
    case 'load':
      return writer.load(one.to, one.size, one.base, one.offset);
    case 'store':
      return writer.store(one.size, one.base, one.offset, one.source);
    case 'atomic':
      return one.fetch
        ? writer.atomicFetch(one.size, one.base, one.offset, one.operator, one.source)
        : writer.atomic(one.size, one.base, one.offset, one.operator, one.source);
    case 'exchange':
      return writer.exchange(one.size, one.base, one.offset, one.source);
    case 'compare-exchange':
      return writer.compareExchange(one.size, one.base, one.offset, one.source);
    case 'load-acquire':
      return writer.loadAcquire(one.to, one.size, one.base, one.offset);
    case 'store-release':
      return writer.storeRelease(one.size, one.base, one.offset, one.source);
    case 'packet':
      return writer.packet(one.size, one.offset, one.index);
    case 'constant':
      return writer.constant(one.to, one.value);
    case 'map':
      return writer.wide(one.to, one.indexed ? IMMEDIATE.MAP_INDEX : IMMEDIATE.MAP, one.map, 0);
    case 'map-value':
      return writer.wide(one.to, one.indexed ? IMMEDIATE.MAP_INDEX_VALUE : IMMEDIATE.MAP_VALUE, one.map, one.offset | 0);
    case 'kernel-variable':
      return writer.wide(one.to, IMMEDIATE.BTF, one.btfId, one.module);
    case 'function':
      return writer.wide(one.to, IMMEDIATE.FUNCTION, one.offset, 0);
    case 'jump':
      return writer.jumpBy(one.left, one.comparison, one.right, one.offset);
    case 'goto':
      return writer.gotoBy(one.offset);
    case 'goto-long':
      return writer.gotoLongBy(one.offset);
    case 'may-goto':
      return writer.mayGotoBy(one.offset);
    case 'call':
      return writer.call(one.helper);
    case 'call-local':
      return writer.callLocalBy(one.offset);
    case 'call-kernel':
      return writer.callKernelById(one.btfId, one.module);
    case 'exit':
      return writer.exit();
    case 'unknown':
      return writer.emitWords(one.low, one.immediate);
  }
}
