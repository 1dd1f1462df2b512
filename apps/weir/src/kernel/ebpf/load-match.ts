import { BpfMap, BpfProgram } from '@weir/ebpf/kernel';
import { BpfObject, ObjectError } from '@weir/ebpf/object';
import type { MatchList, MatchProgram } from '../../model/match-program.ts';
import { slotMask } from '../../model/set-layout.ts';
import { fillTable } from './fill-table.ts';

/** A program by an open descriptor. */
export interface LoadedMatch {
  readonly fd: number;
  close(): void;
}

const TYPE = 'socket_filter';
/** The octets of an instruction, and where in it a map's descriptor stands. */
const SLOT = 8;
const IMMEDIATE = 4;

/** The map of a list, which stays the caller's. */
export type OpenList = (list: MatchList) => BpfMap;

/**
 * Loads a program that rules of nf_tables ask.
 * @throws BpfError, VerifierError; ObjectError for an ELF object that cannot be used
 */
export function loadMatch(program: MatchProgram, openList: OpenList): LoadedMatch {
  return program.kind === 'code' ? loadCode(program, openList) : loadObject(program);
}

function loadObject({ object, program, file }: Extract<MatchProgram, { kind: 'object' }>): LoadedMatch {
  const opened = BpfObject.open(new Uint8Array(Buffer.from(object, 'base64')), file);
  try {
    const type = opened.programs().find((one) => one.name === program)?.type;
    if (type !== undefined && type !== TYPE && type !== 'unspec')
      throw new ObjectError(
        'wrong-type',
        file,
        `the program ${program} is of the type ${type}, and rules ask programs of the type ${TYPE}`,
      );
    opened.load({ programs: [program], type: TYPE });
    return opened.program(program);
  } finally {
    opened.close();
  }
}

function loadCode({ name, instructions, tables, lists = [] }: Extract<MatchProgram, { kind: 'code' }>, openList: OpenList): LoadedMatch {
  const octets = new Uint8Array(Buffer.from(instructions, 'base64'));
  const view = new DataView(octets.buffer);
  const maps: BpfMap[] = [];
  try {
    for (const { symbol, shape, slots, contents } of tables) {
      const map = BpfMap.create({ name: mapName(symbol), ...shape });
      maps.push(map);
      fillTable(map, new Uint8Array(Buffer.from(contents, 'base64')));
      for (const slot of slots) view.setInt32(slot * SLOT + IMMEDIATE, map.fd, true);
    }
    for (const list of lists) {
      const { fd, valueSize } = openList(list);
      for (const slot of list.slots) view.setInt32(slot * SLOT + IMMEDIATE, fd, true);
      const mask = slotMask(valueSize);
      for (const slot of list.masks) {
        view.setInt32(slot * SLOT + IMMEDIATE, Number(BigInt.asIntN(32, mask)), true);
        view.setInt32((slot + 1) * SLOT + IMMEDIATE, Number(BigInt.asIntN(32, mask >> 32n)), true);
      }
    }
    // The program holds its maps.
    return BpfProgram.load({ name: matchName(name), type: TYPE, instructions: octets });
  } finally {
    for (const map of maps) map.close();
  }
}

/** What bpftool shows: at most 15 octets. */
export function matchName(name: string): string {
  return `weir_${name.slice(0, 10)}`;
}

function mapName(symbol: string): string {
  return symbol.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 15);
}
