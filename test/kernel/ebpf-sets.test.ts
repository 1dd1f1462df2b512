import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { type BpfMap, BpfProgram, PinDirectory } from '@weir/ebpf/kernel';
import { type Family, mask32, type Prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { emitSetLookup, listNeed } from '../../apps/weir/src/compile/ebpf/sets/index.ts';
import { TrieList } from '../../apps/weir/src/kernel/ebpf/sets/index.ts';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import { slotMask, slotMaskSymbol } from '../../apps/weir/src/model/set-layout.ts';
import { Random } from '../e2e/random.ts';
import { runCommand } from '../lab/index.ts';
import { keep } from './ebpf-bed.ts';

type Words = readonly [number, number, number, number];

const NEED = { 4: { ...listNeed('some', 4), family: 4 }, 6: { ...listNeed('some', 6), family: 6 } } as const;

/** Looks up the address in the last octets of a frame of 64: 1 when it is in a member. */
function lookup(map: BpfMap, family: Family): BpfProgram {
  const asm = new Assembler<Rule>();
  const yes = asm.label('yes');
  const no = asm.label('no');
  const { symbol } = NEED[family];
  asm.load('r2', 'u32', 'r1', 0).load('r3', 'u32', 'r1', 4).mov('r4', 'r2').alu('r4', '+=', 64).jump('r4', '>', 'r3', no);
  for (let word = 0; word < 4; word++) asm.load('r4', 'u32', 'r2', 48 + 4 * word).store('u32', 'r10', -16 + 4 * word, 'r4');
  emitSetLookup(asm, family, symbol, -16, { yes, no });
  asm.place(yes).mov('r0', 1).exit();
  asm.place(no).mov('r0', 0).exit();
  const instructions = bindProgram(asm.assemble(), {
    maps: new Map([[symbol, map.fd]]),
    constants: new Map([[slotMaskSymbol(symbol), slotMask(map.valueSize)]]),
  });
  return keep(BpfProgram.load({ name: 'lookup', type: 'xdp', instructions }));
}

function found(program: BpfProgram, address: Words): boolean {
  const frame = new Uint8Array(64);
  const view = new DataView(frame.buffer);
  for (const [i, word] of address.entries()) view.setUint32(48 + 4 * i, word);
  return program.run({ data: frame, discard: true }).result === 1;
}

let mounted = '';
let directories = 0;

beforeAll(async () => {
  mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
});

afterAll(async () => {
  await runCommand('umount', [mounted]);
  rmdirSync(mounted);
});

function pins(): PinDirectory {
  const directory = PinDirectory.open(join(mounted, `sets${directories++}`));
  onTestFinished(() => directory.remove());
  return directory;
}

function delta(family: Family, changes: readonly { readonly prefix: Prefix; readonly wanted: boolean }[], complete = false): MemberDelta {
  const stride = family === 4 ? 1 : 4;
  const words = new Uint32Array(changes.length * stride);
  for (const [
    i,
    {
      prefix: { w0, w1, w2, w3 },
    },
  ] of changes.entries())
    words.set([w0, w1, w2, w3].slice(0, stride), i * stride);
  return {
    set: 'some',
    family,
    complete,
    count: changes.length,
    words,
    lengths: Uint8Array.from(changes, (change) => change.prefix.length),
    wanted: Uint8Array.from(changes, ({ wanted }) => (wanted ? 1 : 0)),
    oldest: 0,
  };
}

function listed(list: TrieList): string[] {
  const { family, count, words, lengths } = list.members();
  return Array.from({ length: count }, (_, i) => {
    const [w0, w1, w2, w3] = family === 4 ? [words[i], 0, 0, 0] : words.subarray(4 * i, 4 * i + 4);
    return printPrefix(prefixFromWords(family, w0 ?? 0, w1 ?? 0, w2 ?? 0, w3 ?? 0, lengths[i] ?? 0));
  }).sort();
}

function inside({ w0, w1, w2, w3, length }: Prefix, address: Words): boolean {
  return [w0, w1, w2, w3].every((word, i) => ((word ^ (address[i] as number)) & mask32(length - 32 * i)) === 0);
}

/** Prefixes and addresses that often share bits. */
class Maker {
  readonly #random: Random;
  readonly #family: Family;

  constructor(random: Random, family: Family) {
    this.#random = random;
    this.#family = family;
  }

  address(): Words {
    const nibble = (): number => (this.#random.below(4) > 0 ? 0 : this.#random.below(3) > 0 ? 15 : this.#random.below(16));
    const word = (): number => Array.from({ length: 8 }, nibble).reduce((sum, one) => sum * 16 + one, 0);
    return this.#family === 4 ? [word(), 0, 0, 0] : [word(), word(), word(), word()];
  }

  prefix(): Prefix {
    const bits = this.#family === 4 ? 32 : 128;
    const length =
      this.#random.below(3) === 0 ? this.#random.below(bits + 1) : this.#random.below(2) === 0 ? bits : bits - this.#random.below(bits / 2);
    return prefixFromWords(this.#family, ...this.address(), length);
  }
}

describe.each([4, 6] as const)('a set of IPv%s', (family) => {
  test('programs find what a naive model finds, through random histories, restarts and growth', () => {
    const seed = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
    const random = new Random(seed);
    const maker = new Maker(random, family);
    const directory = pins();
    let list = TrieList.open(NEED[family], directory, 'some');
    let program = lookup(list.map, family);
    const model = new Map<string, Prefix>();
    const known: Prefix[] = [];
    for (let round = 0; round < 30; round++) {
      const complete = random.below(8) === 0;
      const changes = Array.from({ length: random.below(60) }, () => {
        const again = known.length > 0 && random.below(2) === 0 ? known[random.below(known.length)] : undefined;
        const one = again ?? maker.prefix();
        known.push(one);
        return { prefix: one, wanted: random.below(3) > 0 };
      });
      // One row for each prefix, as the daemon sends them.
      const rows = [...new Map(changes.map((change) => [printPrefix(change.prefix), change])).values()];
      const before = model.size;
      if (complete) model.clear();
      for (const { prefix: one, wanted } of rows) {
        if (wanted) model.set(printPrefix(one), one);
        else model.delete(printPrefix(one));
      }
      const change = list.apply(delta(family, rows, complete));
      expect({ seed, leftOut: change.leftOut, size: list.size }).toEqual({ seed, leftOut: 0, size: model.size });
      expect(before + change.added - change.removed).toBe(model.size);
      if (change.grown) program = lookup(list.map, family);
      if (round % 7 === 3) {
        list.close();
        list = TrieList.open(NEED[family], directory, 'some');
      }
      expect(listed(list)).toEqual([...model.keys()].sort());
      const members = [...model.values()];
      for (let i = 0; i < 200; i++) {
        const near = members[random.below(Math.max(1, members.length))];
        const address: Words =
          near && random.below(2) === 0 ? [near.w0, near.w1, near.w2, (near.w3 ^ random.below(3)) >>> 0] : maker.address();
        const asked: Words = family === 4 ? [(address[0] ^ (random.below(2) * random.below(3))) >>> 0, 0, 0, 0] : address;
        const want = members.some((member) => inside(member, asked));
        if (found(program, asked) !== want)
          expect({ seed, round, asked: printPrefix(prefixFromWords(family, ...asked, family === 4 ? 32 : 128)), want }).toBe('found');
      }
    }
    list.close();
  });
});
