import type { Random } from './random.ts';

/** The longest input that is made. Longer than the longest BGP message (65,535, RFC 8654). */
const maximumLength: number = 70_000;

/** Values at which lengths and counters go wrong. */
const interesting: readonly number[] = [0, 1, 2, 3, 4, 7, 8, 15, 16, 18, 19, 23, 31, 32, 33, 63, 64, 127, 128, 129, 254, 255];

/** One to eight changes to a copy of `input`. */
export function mutate(random: Random, input: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array {
  let bytes = Uint8Array.from(input);
  const count = 1 + random.below(8);
  for (let i = 0; i < count; i++) bytes = random.pick(mutations)(random, bytes, corpus);
  return bytes.length > maximumLength ? bytes.slice(0, maximumLength) : bytes;
}

type Mutation = (random: Random, bytes: Uint8Array<ArrayBuffer>, corpus: readonly Uint8Array[]) => Uint8Array<ArrayBuffer>;

const flipBit: Mutation = (random, bytes) => set(bytes, random.below(bytes.length), (old) => old ^ (1 << random.below(8)));
const randomByte: Mutation = (random, bytes) => set(bytes, random.below(bytes.length), () => random.below(256));
const interestingByte: Mutation = (random, bytes) => set(bytes, random.below(bytes.length), () => random.pick(interesting));
const addToByte: Mutation = (random, bytes) => set(bytes, random.below(bytes.length), (old) => old + random.below(9) - 4);
const truncate: Mutation = (random, bytes) => bytes.slice(0, random.below(bytes.length + 1));

const giantLength: Mutation = (random, bytes) => {
  const at = random.below(bytes.length);
  return set(
    set(bytes, at, () => 0xff),
    at + 1,
    () => random.pick([0xff, 0xfe, 0x00]),
  );
};

const remove: Mutation = (random, bytes) => {
  const start = random.below(bytes.length);
  return join(bytes.subarray(0, start), bytes.subarray(start + 1 + random.below(16)));
};

const insert: Mutation = (random, bytes) => {
  const at = random.below(bytes.length + 1);
  const added = Uint8Array.from({ length: 1 + random.below(16) }, () => random.below(256));
  return join(bytes.subarray(0, at), added, bytes.subarray(at));
};

const repeat: Mutation = (random, bytes) => {
  const start = random.below(bytes.length);
  const part = bytes.subarray(start, start + 1 + random.below(64));
  const times = Math.min(1 + random.below(64), Math.floor(maximumLength / (part.length + 1)));
  return join(bytes.subarray(0, start), ...Array.from({ length: times }, () => part), bytes.subarray(start));
};

const splice: Mutation = (random, bytes, corpus) => {
  const other = random.pick(corpus);
  return join(bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length + 1)));
};

const noise: Mutation = (random) => Uint8Array.from({ length: random.below(4096) }, () => random.below(256));

const mutations: readonly Mutation[] = [
  flipBit,
  flipBit,
  randomByte,
  interestingByte,
  interestingByte,
  addToByte,
  truncate,
  giantLength,
  remove,
  insert,
  repeat,
  splice,
  noise,
];

function set(bytes: Uint8Array<ArrayBuffer>, at: number, change: (old: number) => number): Uint8Array<ArrayBuffer> {
  const old = bytes[at];
  if (old !== undefined) bytes[at] = change(old);
  return bytes;
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
