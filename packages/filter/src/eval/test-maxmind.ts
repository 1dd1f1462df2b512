import { parsePrefix } from '@weir/wire/inet';
import { ipToInt } from '../ir/ip-set.ts';

/** What a test's table holds of a network. */
export type TestRecord = string | number | boolean | readonly TestRecord[] | { readonly [key: string]: TestRecord };

export interface TestDatabase {
  readonly networks: Readonly<Record<string, TestRecord>>;
  readonly recordBits?: 24 | 28 | 32;
  readonly ipVersion?: 4 | 6;
  /** Prefixes of IPv6 below which the IPv4 addresses are found again. */
  readonly aliases?: readonly string[];
  readonly metadata?: Readonly<Record<string, TestRecord>>;
}

type Node = [Node | number | undefined, Node | number | undefined];

/** A file in the MaxMind DB format, as the specification of the format describes it; networks do not overlap. */
export function writeMaxMind({ networks, recordBits = 24, ipVersion = 6, aliases = [], metadata = {} }: TestDatabase): Uint8Array {
  const data: number[] = [];
  const root: Node = [undefined, undefined];
  const walk = (bits: string, leaf: number | Node | undefined): Node => {
    let at = root;
    for (const bit of bits.slice(0, -1)) {
      const side = Number(bit) as 0 | 1;
      at = below(at, side);
    }
    const side = Number(bits.at(-1)) as 0 | 1;
    if (leaf === undefined) return below(at, side);
    at[side] = leaf;
    return at;
  };
  for (const [network, value] of Object.entries(networks)) {
    const at = data.length;
    data.push(...encode(value));
    walk(bitsOf(network, ipVersion), at);
  }
  if (aliases.length > 0) {
    const v4 = walk('0'.repeat(96), undefined);
    for (const alias of aliases) walk(bitsOf(alias, 6), v4);
  }
  const nodes: Node[] = [];
  const numbers = new Map<Node, number>();
  const number = (node: Node): void => {
    if (numbers.has(node)) return;
    numbers.set(node, nodes.length);
    nodes.push(node);
    for (const side of node) if (Array.isArray(side)) number(side);
  };
  number(root);
  const record = (side: Node | number | undefined): number => {
    if (side === undefined) return nodes.length;
    return typeof side === 'number' ? nodes.length + 16 + side : (numbers.get(side) ?? 0);
  };
  const tree = nodes.flatMap(([left, right]) => encodeNode(record(left), record(right), recordBits));
  const about = {
    node_count: nodes.length,
    record_size: recordBits,
    ip_version: ipVersion,
    database_type: 'Test',
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    ...metadata,
  };
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')];
  return Uint8Array.from([...tree, ...Array<number>(16).fill(0), ...data, ...marker, ...encode(about)]);
}

/** The node on one side of a node, made where there is none. */
function below(node: Node, side: 0 | 1): Node {
  const next = node[side];
  if (Array.isArray(next)) return next;
  const made: Node = [undefined, undefined];
  node[side] = made;
  return made;
}

function bitsOf(network: string, ipVersion: 4 | 6): string {
  const result = parsePrefix(network);
  if (!result.ok) throw new RangeError(network);
  const { prefix } = result;
  const bits = BigInt(ipToInt(prefix))
    .toString(2)
    .padStart(prefix.family === 4 ? 32 : 128, '0')
    .slice(0, prefix.length);
  return prefix.family === 4 && ipVersion === 6 ? `${'0'.repeat(96)}${bits}` : bits;
}

function encodeNode(left: number, right: number, recordBits: 24 | 28 | 32): number[] {
  const low = (value: number): number[] => [(value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  if (recordBits === 24) return [...low(left), ...low(right)];
  if (recordBits === 28) return [...low(left), ((left >>> 24) << 4) | (right >>> 24), ...low(right)];
  return [left >>> 24, ...low(left), right >>> 24, ...low(right)];
}

function encode(value: TestRecord): number[] {
  if (typeof value === 'boolean') return [value ? 1 : 0, 14 - 7];
  if (typeof value === 'number') return [(6 << 5) | 4, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  if (typeof value === 'string') {
    const octets = [...Buffer.from(value)];
    return octets.length < 29 ? [(2 << 5) | octets.length, ...octets] : [(2 << 5) | 29, octets.length - 29, ...octets];
  }
  if (Array.isArray(value)) return [value.length, 11 - 7, ...value.flatMap((one: TestRecord) => encode(one))];
  const entries = Object.entries(value as { readonly [key: string]: TestRecord });
  return [(7 << 5) | entries.length, ...entries.flatMap(([key, one]) => [...encode(key), ...encode(one)])];
}
