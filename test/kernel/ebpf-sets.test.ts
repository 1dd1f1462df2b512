import { join } from 'node:path';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfMap, BpfProgram, PinDirectory } from '@weir/ebpf/kernel';
import { type Family, mask32, type Prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { emitSetLookup, listNeed } from '../../apps/weir/src/compile/ebpf/sets/index.ts';
import { TrieList } from '../../apps/weir/src/kernel/ebpf/sets/index.ts';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import { SET_LAYOUT, slotMask, slotMaskSymbol } from '../../apps/weir/src/model/set-layout.ts';
import { Random } from '../e2e/random.ts';
import { keep } from './ebpf-bed.ts';
import { bpfMount, mountBpf } from './ebpf-runtime-bed.ts';

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

let directories = 0;

mountBpf();

function pins(): PinDirectory {
  const directory = PinDirectory.open(join(bpfMount(), `sets${directories++}`));
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

  /** Members that share little, so that each takes slots of its own. */
  function spread(count: number): Prefix[] {
    const bits = family === 4 ? 32 : 128;
    return Array.from({ length: count }, (_, i) => {
      const w0 = (((i >> 1) << 16) + 0x0a00_0000 + (i & 1)) >>> 0;
      return prefixFromWords(family, w0, 0, 0, family === 4 ? 0 : i, bits);
    });
  }
  const wanted = (all: readonly Prefix[], yes = true) => all.map((one) => ({ prefix: one, wanted: yes }));

  test('it grows into a larger map, pinned in place of the one before, which keeps what it had', () => {
    const directory = pins();
    const list = keep(TrieList.open(NEED[family], directory, 'some'));
    const first = spread(100);
    list.apply(delta(family, wanted(first)));
    const before = lookup(list.map, family);
    const id = list.map.info().id;
    const all = spread(12_000);
    expect(list.apply(delta(family, wanted(all)))).toEqual({ added: 11_900, removed: 0, leftOut: 0, grown: true });
    expect(list.map.info().id).not.toBe(id);
    expect(keep(directory.map('some') as BpfMap).info().id).toBe(list.map.info().id);
    const { octets, full, filled } = list.pressure();
    expect([octets, full, filled > 0.2 && filled < 1]).toEqual([octets, undefined, true]);
    expect(octets).toBeGreaterThan(SET_LAYOUT.leastOctets);
    const after = lookup(list.map, family);
    const last = all[11_999] as Prefix;
    const address: Words = [last.w0, last.w1, last.w2, last.w3];
    const known = first[99] as Prefix;
    expect([found(before, address), found(after, address), found(before, [known.w0, known.w1, known.w2, known.w3])]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('what is large is found as what is small: networks, hosts, prefixes among them, through changes and a restart', () => {
    const directory = pins();
    let list = TrieList.open(NEED[family], directory, 'some');
    const hosts = spread(family === 4 ? 30_000 : 12_000);
    const bits = family === 4 ? 32 : 128;
    const prefixes = hosts
      .filter((_, i) => i % 40 === 0)
      .map(({ w0, w1, w2, w3 }, i) => prefixFromWords(family, w0, w1, w2, w3, bits - 1 - (i % 12)));
    const members = new Map([...hosts, ...prefixes].map((one) => [printPrefix(one), one]));
    expect(list.apply(delta(family, wanted([...members.values()]), true)).leftOut).toBe(0);
    const check = (): void => {
      const program = lookup(list.map, family);
      expect(list.size).toBe(members.size);
      for (let i = 0; i < hosts.length; i += 7) {
        const { w0, w1, w2, w3 } = hosts[i] as Prefix;
        for (const by of [0, 1, 2, 64]) {
          const address: Words = family === 4 ? [(w0 ^ by) >>> 0, 0, 0, 0] : [w0, w1, w2, (w3 ^ by) >>> 0];
          const of = (length: number): boolean => members.has(printPrefix(prefixFromWords(family, ...address, length)));
          const want = Array.from({ length: 13 }, (_, k) => bits - k).some(of);
          if (found(program, address) !== want)
            expect({ asked: printPrefix(prefixFromWords(family, ...address, bits)), want }).toBe('found');
        }
      }
    };
    check();
    const gone = [...members.values()].filter((_, i) => i % 3 === 0);
    for (const one of gone) members.delete(printPrefix(one));
    expect(list.apply(delta(family, wanted(gone, false))).removed).toBe(gone.length);
    check();
    list.close();
    list = keep(TrieList.open(NEED[family], directory, 'some'));
    check();
    const back = gone.slice(0, 2000);
    for (const one of back) members.set(printPrefix(one), one);
    expect(list.apply(delta(family, wanted(back))).added).toBe(2000);
    check();
    expect(listed(list)).toEqual([...members.keys()].sort());
  });

  test('one that may not grow says so, keeps what it has, and takes the rest when there is room', () => {
    const directory = pins();
    const list = keep(TrieList.open(NEED[family], directory, 'some', SET_LAYOUT.leastOctets));
    const all = spread(12_000);
    const { added, leftOut, grown } = list.apply(delta(family, wanted(all)));
    // Hosts of IPv6 get places of their own in a map of the same size.
    expect({ sum: added + leftOut, grown, full: list.pressure().full }).toEqual({ sum: 12_000, grown: family === 6, full: 'limit' });
    expect([added > 0, leftOut > 0, list.size]).toEqual([true, true, added]);
    const inside = new Set(listed(list));
    // What takes no slot is taken still.
    const short = prefixFromWords(family, 0xc000_0000, 0, 0, 0, 12);
    expect(list.apply(delta(family, wanted([short]))).added).toBe(1);
    const rest = all.filter((one) => !inside.has(printPrefix(one))).slice(0, 100);
    const gone = all.filter((one) => inside.has(printPrefix(one))).slice(0, added >> 1);
    // In one delta: additions first find no room, then what is removed makes some.
    const change = list.apply(delta(family, [...wanted(rest), ...wanted(gone, false)]));
    expect(change).toEqual({ added: rest.length, removed: gone.length, leftOut: 0, grown: false });
    expect(list.pressure().full).toBeUndefined();
  });

  test('a complete list removes what it does not have', () => {
    const list = keep(TrieList.open(NEED[family], pins(), 'some'));
    const [first, second] = [spread(300), spread(500).slice(200)];
    list.apply(delta(family, wanted(first), true));
    expect(list.apply(delta(family, wanted(second), true))).toEqual({ added: 200, removed: 200, leftOut: 0, grown: false });
    expect(listed(list)).toEqual(second.map(printPrefix).sort());
    expect(list.apply(delta(family, wanted(second), true))).toEqual({ added: 0, removed: 0, leftOut: 0, grown: false });
    expect(list.apply(delta(family, [], true)).removed).toBe(300);
    expect(list.pressure().filled).toBe(0);
  });

  test('slots are used again only after the programs that may look at them', () => {
    const list = keep(TrieList.open(NEED[family], pins(), 'some', SET_LAYOUT.leastOctets));
    const all = spread(1000);
    // Far more slots than there are, in all.
    for (let round = 0; round < 20; round++) {
      expect(list.apply(delta(family, wanted(all))).leftOut).toBe(0);
      expect(list.apply(delta(family, wanted(all, false))).removed).toBe(1000);
    }
    expect([list.size, listed(list)]).toEqual([0, []]);
  });

  test('what is pinned and is no set is left behind', () => {
    const directory = pins();
    const foreign = keep(BpfMap.create({ name: 'foreign', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 }));
    directory.pin(foreign, 'some');
    expect(TrieList.adopt(family, directory, 'some')).toBeUndefined();
    const list = keep(TrieList.open(NEED[family], directory, 'some'));
    list.apply(delta(family, wanted(spread(10))));
    expect(list.isSound()).toBe(true);
    // Another process wrote over it.
    list.map.update(new Uint8Array(4), new Uint8Array(list.map.valueSize).fill(255));
    expect(list.isSound()).toBe(false);
    expect(TrieList.adopt(family, directory, 'some')).toBeUndefined();
    expect(TrieList.adopt(family === 4 ? 6 : 4, directory, 'some')).toBeUndefined();
    expect(keep(TrieList.open(NEED[family], directory, 'some')).size).toBe(0);
  });
});
