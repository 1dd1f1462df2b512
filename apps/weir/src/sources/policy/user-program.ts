import { contentName } from '../../compile/nft/content-name.ts';
import type { UserProgram } from '../../model/match-program.ts';
import { type Files, relativeTo } from '../yaml/files.ts';
import { leaf, required, type Shape, type Table, table } from '../yaml/shape.ts';
import type { Place } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawObject, RawProgram } from './raw.ts';

/** Octets of an ELF object; it is kept with the rules. */
const MAX_OBJECT_BYTES = 1024 * 1024;
/** The kernel's bound of a path, without the NUL. */
const MAX_PATH = 511;

const path: Shape<string> = leaf('the path of a pinned program', (written, _value, place, report) => {
  if (/^\/[^\p{Cc}]+$/u.test(written) && new TextEncoder().encode(written).length <= MAX_PATH) return written;
  report('E010', place, `the path of a pinned program begins with / and has at most ${MAX_PATH} octets`);
  return undefined;
});

const object: Shape<Table<RawObject>> = table<RawObject>('bpf', {
  object: required(word('a file name', /^[^\p{Cc}]{1,4096}$/u), 'The ELF object, as clang or gcc make it. Relative to this file.'),
  program: required(word('a program', /^[A-Za-z_][A-Za-z0-9_.]{0,127}$/), 'The name of the function in it, of the type socket filter.'),
});

function word(type: string, pattern: RegExp): Shape<string> {
  return leaf(type, (written, _value, place, report) => {
    if (pattern.test(written)) return written;
    report('E010', place, `not ${type}`);
    return undefined;
  });
}

/** `/sys/fs/bpf/NAME`, or `{ object: FILE, program: NAME }`. */
export function programShape(): Shape<RawProgram> {
  return {
    doc: { type: 'path, or mapping', keys: object.doc.keys ?? [] },
    read(node, label, report) {
      if (node.kind !== 'map') {
        const found = path.read(node, label, report);
        return found === undefined ? undefined : { kind: 'pinned', path: found };
      }
      const found = object.read(node, label, report);
      return found && { kind: 'object', table: found };
    },
  };
}

/** The program that a rule of `file` names, with the octets of its object. What is wrong with it is reported. */
export function readUserProgram(raw: RawProgram, place: Place, file: string, system: Files, report: Report): UserProgram | undefined {
  if (raw.kind === 'pinned') return raw;
  const { object: name, program } = raw.table.get;
  if (name === undefined || program === undefined) return undefined;
  const at = relativeTo(file, name);
  const read = system.read(at, MAX_OBJECT_BYTES);
  if ('error' in read) {
    report('E001', raw.table.place('object'), `cannot read ${at}: ${read.error}`);
    return undefined;
  }
  if (read.bytes.length > MAX_OBJECT_BYTES) {
    report('E002', raw.table.place('object'), `${at} is larger than ${MAX_OBJECT_BYTES} bytes`);
    return undefined;
  }
  if (!isObject(read.bytes)) {
    report('E051', place, `${at} is not an ELF object of eBPF`, 'compile it with clang -target bpf, or with bpf-gcc');
    return undefined;
  }
  const octets = Buffer.from(read.bytes).toString('base64');
  return { kind: 'object', name: contentName(octets, program), file: at, object: octets, program };
}

/** ELF, 64 bits, little-endian, of the machine EM_BPF (247). */
function isObject(bytes: Uint8Array): boolean {
  const [magic, e, l, f, wide, little] = bytes;
  return magic === 0x7f && e === 0x45 && l === 0x4c && f === 0x46 && wide === 2 && little === 1 && bytes[18] === 247 && bytes[19] === 0;
}
