import { addressOf, duplicateFd, Libbpf, type LibbpfPointer, SystemError } from '@weir/sys';
import {
  BpfError,
  type BpfFailure,
  BpfMap,
  BpfProgram,
  type MapType,
  type PinDirectory,
  type Pinnable,
  type ProgramType,
  VerifierError,
} from '../kernel/index.ts';
import { MAP_TYPES } from '../kernel/map-type.ts';
import { PROGRAM_TYPES, programTypeNumber } from '../kernel/program-type.ts';
import { ObjectError } from './object-error.ts';

/** Octets of the verifier's log that are kept for each program. */
const LOG_OCTETS = 256 * 1024;
/** Programs that an object may have. */
const MOST_PROGRAMS = 256;
const EPERM = 1;

/** A program of an object: the name of the function, and the section that it is in. The type is undefined where the kernel that this was written for had none of that number. */
export interface ObjectProgram {
  readonly name: string;
  readonly section: string;
  readonly type: ProgramType | undefined;
}

export interface ObjectMap {
  readonly name: string;
  readonly type: MapType | undefined;
  /** Octets. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
}

export interface LoadOptions {
  /** Names of the programs that are loaded; all that the object marks for it when absent. */
  readonly programs?: readonly string[];
  /** What a program is to be whose section does not say. */
  readonly type?: ProgramType;
}

/** The version of libbpf on this machine, `v1.1`; undefined where there is none. */
export function libbpfVersion(): string | undefined {
  return Libbpf.open()?.version;
}

/** An ELF object with eBPF programs and maps, as a C compiler makes them, through libbpf. Calls are synchronous. */
export class BpfObject {
  readonly name: string;
  readonly #library: Libbpf;
  readonly #pointer: LibbpfPointer;
  readonly #programs: ReadonlyMap<string, { readonly pointer: LibbpfPointer; readonly log: Uint8Array }>;
  readonly #maps: ReadonlyMap<string, LibbpfPointer>;
  #loaded: ReadonlySet<string> | undefined;
  #closed = false;

  private constructor(library: Libbpf, pointer: LibbpfPointer, name: string) {
    this.#library = library;
    this.#pointer = pointer;
    this.name = name;
    this.#programs = new Map(
      library
        .programs(pointer)
        .slice(0, MOST_PROGRAMS)
        .map((program) => [library.program(program).name, { pointer: program, log: new Uint8Array(LOG_OCTETS) }]),
    );
    this.#maps = new Map(library.maps(pointer).map((map) => [library.map(map).name, map]));
  }

  /**
   * Reads an object; nothing is loaded yet. `name` is what errors call it, `find` finds the library.
   * @throws ObjectError no-library, not-an-object
   */
  static open(octets: Uint8Array, name: string, find: () => Libbpf | undefined = Libbpf.open): BpfObject {
    const library = find();
    if (!library) throw new ObjectError('no-library', name, 'libbpf.so.1 is not installed here (Debian: libbpf1)');
    try {
      return new BpfObject(library, library.openMemory(octets), name);
    } catch (error) {
      if (error instanceof SystemError) throw new ObjectError('not-an-object', name, `libbpf cannot read it: ${error.message}`);
      throw error;
    }
  }

  /** In the order of the object. */
  programs(): readonly ObjectProgram[] {
    return [...this.#programs.values()].map(({ pointer }) => {
      const { name, section, type } = this.#library.program(pointer);
      return { name, section, type: PROGRAM_TYPES[type] };
    });
  }

  maps(): readonly ObjectMap[] {
    return [...this.#maps.values()].map((map) => {
      const { type, ...shape } = this.#library.map(map);
      return { ...shape, type: MAP_TYPES[type] };
    });
  }

  /**
   * Makes the maps and loads the programs. An object is loaded once.
   * @throws ObjectError no-program; VerifierError with the log of the program that is refused; BpfError
   */
  load(options: LoadOptions = {}): void {
    const wanted = new Set(options.programs ?? this.#programs.keys());
    for (const name of wanted) this.#find(name);
    try {
      for (const [name, { pointer, log }] of this.#programs) {
        if (options.programs) this.#library.setAutoload(pointer, wanted.has(name));
        const { type } = this.#library.program(pointer);
        if (type === 0 && options.type !== undefined) this.#library.setType(pointer, programTypeNumber(options.type));
        this.#library.setLog(pointer, addressOf(log), log.length);
      }
      this.#library.load(this.#pointer);
      this.#loaded = wanted;
    } catch (error) {
      if (error instanceof SystemError) throw this.#refusal(error);
      throw error;
    }
  }

  /** What the kernel said of the program that it refused, or that it came to none. */
  #refusal({ errno }: SystemError): BpfError {
    for (const [name, { log }] of this.#programs) {
      const text = textOf(log);
      if (text === '' || errno === EPERM) continue;
      return new VerifierError(failureOf(`program ${name} of ${this.name}`), errno, text, log.at(-1) === 0 && log.at(-2) === 0);
    }
    return new BpfError(failureOf(`object ${this.name}`), errno);
  }

  /** A program that was loaded, by a descriptor of its own: it is there when the object is closed. ObjectError, BpfError. */
  program(name: string): BpfProgram {
    const { pointer } = this.#find(name);
    if (!this.#loaded?.has(name)) throw new ObjectError('not-loaded', this.name, `the program ${name} is not loaded`);
    return BpfProgram.fromFd(duplicateFd(this.#library.programFd(pointer)));
  }

  /** The same for a map; undefined where the object has none of that name. */
  map(name: string): BpfMap | undefined {
    const pointer = this.#maps.get(name);
    if (!pointer) return undefined;
    if (!this.#loaded) throw new ObjectError('not-loaded', this.name, `the map ${name} is not made`);
    return BpfMap.fromFd(duplicateFd(this.#library.mapFd(pointer)));
  }

  /** Pins a program or a map of the object under its name. */
  pin(name: string, directory: PinDirectory): void {
    const one: (Pinnable & { close(): void }) | undefined = this.map(name) ?? this.program(name);
    try {
      directory.pin(one, name);
    } finally {
      one.close();
    }
  }

  #find(name: string): { readonly pointer: LibbpfPointer; readonly log: Uint8Array } {
    const found = this.#programs.get(name);
    if (found) return found;
    const names = [...this.#programs.keys()];
    throw new ObjectError(
      'no-program',
      this.name,
      `there is no program ${name} in it: ${names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`}`,
    );
  }

  /** Gives its descriptors back; what is pinned, attached or asked for by descriptors of its own stays. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#library.close(this.#pointer);
  }
}

function failureOf(object: string): BpfFailure {
  return { operation: 'load', object, needs: ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'] };
}

function textOf(log: Uint8Array): string {
  const end = log.indexOf(0);
  return new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end));
}
