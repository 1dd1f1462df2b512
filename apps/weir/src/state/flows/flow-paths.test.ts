import { type FlowAction, flowTreatment } from '@weir/bgp/flowspec';
import { ip4, printIp } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import { DEFAULT_FLOWSPEC, type FlowConfig, type NextHopState } from '../../model/flow.ts';
import type { FlowEntry } from './flow-entry.ts';
import { FlowPaths } from './flow-paths.ts';

const ONE = ip4(0xc0000201);
const TWO = ip4(0xc0000202);
const THREE = ip4(0xc0000203);

const entry = (address = ONE): FlowEntry => {
  const action: FlowAction = { kind: 'redirect-ip', address, copy: false };
  return { rule: { address: 4 }, treatment: flowTreatment([action], undefined), path: undefined } as unknown as FlowEntry;
};

class Bed {
  readonly paths = new FlowPaths();
  asked: readonly string[] = [];
  again = 0;

  constructor(most = 2, firstMark = 0x100) {
    this.configure(most, firstMark);
    this.paths.onChange(() => this.again++);
    this.paths.onHops(() => {
      this.asked = this.paths.hops().map(({ address, path }) => `${printIp(address)} ${path.mark} ${path.table}`);
    });
  }

  configure(most: number, firstMark: number): boolean {
    return this.paths.configure({
      ...DEFAULT_FLOWSPEC,
      routing: { priority: 1, firstMark, firstTable: 1000, most },
    } as unknown as FlowConfig);
  }

  add(address = ONE): FlowEntry {
    const one = entry(address);
    this.paths.use(one);
    return one;
  }

  /** The kernel side says that there is a way to all that were asked about. */
  ways(...refused: readonly NextHopState[]): void {
    this.paths.learn([...this.paths.hops().map(({ address }) => ({ address, refused: undefined })), ...refused]);
  }
}

test('an address is asked about, and has one mark for all that redirect there', () => {
  const bed = new Bed();
  const [first, second] = [bed.add(), bed.add()];
  expect(bed.paths.take(first)).toMatch(/not known yet/);
  expect(bed.asked).toEqual(['192.0.2.1 256 1000']);
  bed.ways();
  expect(bed.again).toBe(1);
  expect([first, second].map((one) => bed.paths.take(one))).toEqual([undefined, undefined]);
  expect([first, second].map(({ path }) => path)).toEqual([1, 1].map(() => ({ mark: 256, table: 1000 })));
});

test('why there is no way is what is said, until there is one', () => {
  const bed = new Bed();
  const one = bed.add();
  bed.paths.take(one);
  bed.paths.learn([{ address: ONE, refused: 'there is no route' }]);
  expect(bed.paths.take(one)).toBe('there is no route');
  bed.paths.learn([{ address: ONE, refused: 'there is no route' }]);
  expect(bed.again).toBe(1);
  bed.ways();
  expect(bed.paths.take(one)).toBeUndefined();
  expect(bed.again).toBe(2);
});

test('a mark is free when nothing that has it judges any more, and not before', () => {
  const bed = new Bed(1);
  const one = bed.add();
  bed.paths.take(one);
  const two = bed.add(TWO);
  expect(bed.paths.take(two)).toMatch(/already/);
  bed.paths.unuse(one);
  expect(bed.paths.take(two)).toMatch(/already/);
  // A hand-over that began before it went says nothing.
  bed.paths.carried();
  expect(bed.paths.take(two)).toMatch(/already/);
  bed.paths.drained();
  bed.paths.carried();
  expect(bed.again).toBe(1);
  expect(bed.paths.take(two)).toMatch(/not known yet/);
  expect(bed.asked).toEqual(['192.0.2.2 256 1000']);
});

test('an address that comes back meanwhile keeps its mark', () => {
  const bed = new Bed();
  const one = bed.add();
  bed.paths.take(one);
  bed.ways();
  bed.paths.unuse(one);
  bed.paths.drained();
  const again = bed.add();
  bed.paths.carried();
  expect(bed.paths.take(again)).toBeUndefined();
  expect(again.path).toEqual({ mark: 256, table: 1000 });
});

test('what was in force before the start keeps its mark, and is taken to have a way', () => {
  const bed = new Bed(3);
  const kept = { ...entry(TWO), path: { mark: 257, table: 1001 } } as never;
  bed.paths.adopt(kept);
  const [two, three] = [bed.add(TWO), bed.add(THREE)];
  expect(bed.paths.take(two)).toBeUndefined();
  expect(two.path).toEqual({ mark: 257, table: 1001 });
  bed.paths.take(three);
  expect(three.path).toEqual({ mark: 256, table: 1000 });
  bed.paths.unuse(two);
  bed.paths.drained();
  bed.paths.carried();
  expect(bed.asked).toHaveLength(2);
  bed.paths.forgetKept();
  bed.paths.drained();
  bed.paths.carried();
  expect(bed.asked).toEqual(['192.0.2.3 256 1000']);
});

test('other marks of the configuration are those of the addresses at hand', () => {
  const bed = new Bed();
  const one = bed.add();
  bed.paths.take(one);
  bed.ways();
  expect(bed.configure(2, 0x100)).toBe(false);
  expect(bed.configure(2, 0x200)).toBe(true);
  expect(bed.paths.take(one)).toBeUndefined();
  expect(one.path).toEqual({ mark: 0x200, table: 1000 });
  expect(bed.asked).toEqual(['192.0.2.1 512 1000']);
});

test('a copy changes nothing', () => {
  const bed = new Bed(1);
  const one = bed.add();
  const copy = bed.paths.copy();
  copy.take(one);
  expect(bed.asked).toEqual([]);
  expect(bed.paths.take(bed.add(TWO))).toMatch(/not known yet/);
});
