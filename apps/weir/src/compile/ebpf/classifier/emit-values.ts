import type { Label } from '@weir/ebpf/asm';
import type { Place } from '../../../model/ebpf-program.ts';
import type { Facts } from '../facts.ts';
import { type RuleAssembler, STACK } from '../layout.ts';
import { addressAt, emitValue } from './emit-class.ts';
import { emitSearchAddress } from './emit-search.ts';
import { type Forest, type Forests, ROOT_OCTETS } from './forests.ts';
import type { Lane } from './lanes.ts';
import { LEAF } from './search-tree.ts';

interface ValueContext {
  readonly place: Place;
  readonly facts: Facts;
  readonly forests: Forests;
  /** By dimension, the table of names or of addresses; empty where there is none. */
  readonly tables: readonly string[];
  readonly slots: { readonly values: number; readonly roots: number; readonly zero: number };
  readonly impossible: Label;
}

/** The values of the packet in their lanes, and which forest is its own, to the stack. r0 to r5 are lost. */
export function emitValues(asm: RuleAssembler, context: ValueContext): void {
  const { place, facts, forests, tables, slots, impossible } = context;
  const { lanes, words } = forests.layout;
  const begun = new Set<number>();
  const into = (lane: Lane): void => {
    const slot = slots.values + lane.word * 8;
    if (lane.shift > 0) asm.alu('r1', '<<=', lane.shift);
    asm.load('r2', 'u64', 'r10', slot).alu('r1', '|=', 'r2').store('u64', 'r10', slot, 'r1');
  };
  for (const [index, lane] of lanes.entries()) {
    if (lane.dimension.kind === 'address') continue;
    emitValue(asm, place, lane.dimension, facts);
    if (lane.names)
      asm
        .alu('r1', '<<=', 2)
        .mapValue('r2', tables[index] ?? '', 0)
        .alu('r2', '+=', 'r1')
        .load('r1', 'u32', 'r2', 0);
    if (begun.has(lane.word)) into(lane);
    else {
      if (lane.shift > 0) asm.alu('r1', '<<=', lane.shift);
      asm.store('u64', 'r10', slots.values + lane.word * 8, 'r1');
      begun.add(lane.word);
    }
  }
  // Three words are read as four.
  for (let word = 0; word < (words === 3 ? 4 : words); word++) if (!begun.has(word)) asm.store('u64', 'r10', slots.values + word * 8, 0);
  const found = asm.label('values');
  const rootsOf = (forest: Forest): number => forests.forests.indexOf(forest) * forests.depths.length * ROOT_OCTETS;
  const whole = Math.max(0, ...lanes.map(({ dimension }) => (dimension.kind === 'address' ? addressAt(dimension).at4 + 4 : 0)));
  if (whole > 0) {
    const [others, short] = [asm.label('other packets'), asm.label('the source alone')];
    const cut = forests.forests.includes('source4');
    asm.load('r1', 'u64', 'r10', STACK.ip4).alu('r1', '^=', 0).jump('r1', '==', 0, others);
    asm
      .load('r1', 'u64', 'r10', STACK.length)
      .alu('r1', '^=', 0)
      .jump('r1', 's<', whole, cut ? short : others);
    for (const lane of lanes) {
      if (lane.dimension.kind !== 'address') continue;
      asm.load('r1', 'u32', 'r10', STACK.network + addressAt(lane.dimension).at4).byteOrder('r1', 'be', 32);
      into(lane);
    }
    asm.mov('r1', rootsOf('ip4')).goto(found);
    if (cut) {
      const source = lanes.find(({ dimension }) => dimension.name === 'ip.src');
      const { at4 } = addressAt(source?.dimension ?? { name: 'ip.src', kind: 'address', max: 0 });
      asm
        .place(short)
        .load('r1', 'u64', 'r10', STACK.length)
        .alu('r1', '^=', 0)
        .jump('r1', 's<', at4 + 4, others);
      asm.load('r1', 'u32', 'r10', STACK.network + at4).byteOrder('r1', 'be', 32);
      if (source) into(source);
      asm.mov('r1', rootsOf('source4')).goto(found);
    }
    asm.place(others);
    for (const [index, lane] of lanes.entries()) {
      const table = forests.addresses[index];
      if (!table) continue;
      emitSearchAddress(asm, table.lookup, table.search, { symbol: tables[index] ?? '', ...addressAt(lane.dimension), impossible });
      asm.alu('w1', '&=', LEAF - 1);
      into(lane);
    }
  }
  asm.mov('r1', rootsOf('others')).place(found);
  // The verifier goes on once for each different thing that it knows: so it is made to know nothing.
  asm.load('r2', 'u64', 'r10', STACK.network).mov('r3', 'r2').alu('r3', '^=', -1).alu('r2', '&=', 'r3');
  asm.store('u64', 'r10', slots.zero, 'r2');
  asm.alu('r1', '^=', 'r2').store('u64', 'r10', slots.roots, 'r1');
  for (let word = 0; word < words; word++) {
    const slot = slots.values + word * 8;
    asm.load('r1', 'u64', 'r10', slot).alu('r1', '^=', 'r2').store('u64', 'r10', slot, 'r1');
  }
}
