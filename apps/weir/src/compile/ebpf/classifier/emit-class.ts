import type { Label } from '@weir/ebpf/asm';
import type { Place } from '../../../model/ebpf-program.ts';
import { Unsayable } from '../../refusal.ts';
import type { Facts } from '../facts.ts';
import { type RuleAssembler, STACK } from '../layout.ts';
import { type Dimension, PORT_FIELDS, SOURCE_PORT } from './dimension.ts';
import type { DimensionTables } from './dimension-tables.ts';
import { emitSearchAddress } from './emit-search.ts';
import type { Geometry } from './geometry.ts';
import { LEAF } from './search-tree.ts';

/** The maps of one dimension. */
export interface DimensionSymbols {
  readonly search: string;
  readonly vectors: string;
}

export interface ClassContext {
  readonly place: Place;
  readonly facts: Facts;
  readonly geometry: Geometry;
  readonly impossible: Label;
}

/** The address of the vector for the packet in one dimension, to `slot`. r0 to r5 are lost. */
export function emitClass(
  asm: RuleAssembler,
  tables: DimensionTables,
  symbols: DimensionSymbols,
  slot: number,
  { place, facts, geometry, impossible }: ClassContext,
): void {
  const { dimension, lookup, vectors } = tables;
  if (lookup.kind === 'address') {
    const places = addressAt(dimension);
    emitSearchAddress(asm, lookup, tables.search, { symbol: symbols.search, ...places, impossible });
    asm.alu('w1', '&=', LEAF - 1);
  } else {
    emitValue(asm, place, dimension, facts);
    asm.alu('r1', '<<=', 2).mapValue('r2', symbols.search, 0).alu('r2', '+=', 'r1').load('r1', 'u32', 'r2', 0);
  }
  asm.jump('r1', '>', vectors.octets.length - longest(vectors.form, geometry), impossible);
  asm.mapValue('r2', symbols.vectors, 0).alu('r2', '+=', 'r1').store('u64', 'r10', slot, 'r2');
}

/** Octets of the longest vector that there could be. */
function longest(form: 'dense' | 'packed', { stride, packedHead, words }: Geometry): number {
  return form === 'dense' ? stride : packedHead + words * 8;
}

/** Where an address is in the headers of both families. */
export function addressAt({ name }: Dimension): { readonly at4: number; readonly at6: number } {
  return name === 'ip.src' ? { at4: 12, at6: 8 } : { at4: 16, at6: 24 };
}

/** r1: the port or number, or one more than the highest where it is missing. */
export function emitValue(asm: RuleAssembler, place: Place, dimension: Dimension, facts: Facts): void {
  if (dimension.kind === 'port') emitPort(asm, dimension === SOURCE_PORT ? 0 : 2, dimension.max + 1);
  else emitNumber(asm, place, dimension, facts);
}

function emitNumber(asm: RuleAssembler, place: Place, { name, max }: Dimension, facts: Facts): void {
  if (name === 'ip.proto.num') asm.mov('w1', 'w8');
  else {
    const fact = facts.field(asm, place, name);
    if (!fact) throw new Unsayable('the stack of one eBPF program', 'so many different fields');
    asm.load('r1', 'u32', 'r10', fact.slot);
  }
  const there = asm.label('a value');
  // What is compared is not what is kept: the verifier keeps the two apart after an xor.
  asm
    .alu('w1', '^=', 0)
    .jump('w1', '<=', max, there)
    .mov('w1', max + 1);
  asm.place(there);
}

const PROTOCOLS = [...new Set([...PORT_FIELDS.values()].map(({ protocol }) => protocol))];

/** r1: the port in the first octets of the transport header, or `missing`. */
function emitPort(asm: RuleAssembler, at: number, missing: number): void {
  const [has, look, none] = [asm.label('a port'), asm.label('look'), asm.label('no port')];
  asm
    .load('r1', 'u64', 'r10', STACK.transportLength)
    .alu('r1', '^=', 0)
    .jump('r1', 's<', at + 2, none);
  for (const protocol of PROTOCOLS) asm.mov('w1', 'w8').alu('w1', '^=', protocol).jump('w1', '==', 0, has);
  asm.place(none).mov('w1', missing).goto(look);
  asm
    .place(has)
    .load('r1', 'u16', 'r10', STACK.transport + at)
    .byteOrder('r1', 'be', 16);
  asm.place(look);
}
