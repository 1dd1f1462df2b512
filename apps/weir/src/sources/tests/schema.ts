import type { Hook } from '@weir/filter/scheme';
import type { Prefix } from '@weir/wire/inet';
import { parsePacketWords, type WordedPacket } from '../packets/index.ts';
import { prefixShape, text, word } from '../yaml/leaves.ts';
import {
  type Item,
  leaf,
  list,
  mapping,
  type Named,
  optional,
  required,
  type Shape,
  type ShapeDoc,
  type Table,
  table,
} from '../yaml/shape.ts';

const HOOKS: readonly Hook[] = ['input', 'forward', 'output', 'prerouting', 'xdp', 'tc', 'connect'];
const VERDICTS = ['allow', 'deny', 'reject'] as const;

/** A test file as written. */
export interface RawTests {
  policy: readonly Item<string>[];
  sets: readonly Named<readonly Item<Prefix>[]>[];
  tests: readonly Item<Table<RawTest>>[] | undefined;
}

export interface RawTest {
  name: string | undefined;
  packet: { readonly words: string; readonly packet: WordedPacket } | undefined;
  hook: Hook | undefined;
  expect: (typeof VERDICTS)[number] | undefined;
  rule: string | undefined;
}

const packet: Shape<{ readonly words: string; readonly packet: WordedPacket }> = leaf('packet', (written, value, place, report) => {
  const words = typeof value === 'string' ? value : written;
  const parsed = parsePacketWords(words.trim().split(/\s+/));
  if (parsed.ok) return { words: words.trim(), packet: parsed.packet };
  report('E044', place, parsed.message);
  return undefined;
});

const test = table<RawTest>('a test', {
  name: optional(text('a name', 256), 'What the test is called in output.', 'the packet'),
  packet: required(packet, 'The packet in words, as `weir explain` takes it: `tcp 198.51.100.7 203.0.113.5:443 in eth0`.'),
  hook: optional(
    word('a hook', HOOKS),
    'Judge at this hook alone. Otherwise the packet goes the way that its interfaces say.',
    'the way of its interfaces',
  ),
  expect: required(word('a verdict', VERDICTS), 'What is to become of the packet.'),
  rule: optional(text('a ref', 128), 'The ref or name of the rule that is to decide.', 'any rule'),
});

const file = table<RawTests>('a test file', {
  policy: {
    shape: list(text('file name', 1024), { alone: true }),
    summary: 'Policy files, or one configuration, relative to this file; `--policy` stands above it.',
    required: false,
    absent: [],
    defaultText: 'none',
  },
  sets: {
    shape: mapping('sets', list(prefixShape(), { alone: true }), () => undefined),
    summary: 'Named sets with the members that they are to have, by name.',
    required: false,
    absent: [],
    defaultText: 'none',
  },
  tests: required(list(test, { atLeastOne: true }), 'The tests, in order.'),
});

export function testsShape(): Shape<Table<RawTests>> {
  return file;
}

export function describeTests(): ShapeDoc {
  return file.doc;
}
