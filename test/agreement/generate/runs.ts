import { ip4, ip6, printIp } from '@weir/wire/inet';
import type { Random } from '../../e2e/random.ts';
import { type AtomContext, makeAtom } from './atoms.ts';
import { makeExpression, type Node } from './expressions.ts';
import { V4, V6 } from './hints.ts';

type RunPart = () => Node;

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

/**
 * Runs of rules that ask for the same one to three fields, each for a value or a small range of its own, of one family or of both: what becomes elements of maps. Between
 * them stand rules that lie over many of these, and now and then one of another shape.
 */
export function makeRuns(random: Random, context: AtomContext): () => Node {
  let left = 0;
  let parts: readonly RunPart[] = [];
  return () => {
    if (left-- === 0 || parts.length === 0) {
      left = 12 + random.below(24);
      parts = makeParts(random, context);
    }
    const kind = random.below(40);
    if (kind === 0) return makeExpression(random, context, 1);
    // With a field less it lies over its neighbours, with another test it is an element that has more to ask.
    const some = kind === 1 && parts.length > 1 ? parts.slice(1) : parts;
    const items = some.map((part) => part());
    if (kind === 2) items.push(makeAtom(random, context));
    const [first] = items;
    return first && items.length === 1 ? first : { kind: 'and', items };
  };
}

function makeParts(random: Random, context: AtomContext): readonly RunPart[] {
  const exact = random.below(2) === 0;
  const families = random.pick([[4], [4], [6], [4, 6]] as const);
  const protocol = random.pick(PROTOCOLS);
  const address = (field: string): RunPart => {
    return () =>
      atom(
        field,
        families.map((family) => (family === 4 ? network4(random, context, exact) : network6(random, context, exact))),
      );
  };
  const number = (field: string, from: number, among: number): RunPart => {
    return () => {
      const first = from + random.below(among);
      const last = first + (exact || random.below(2) === 0 ? 0 : random.below(4));
      context.hints.addInt(field, first, last);
      return atom(field, [first === last ? String(first) : `${first}..${last}`]);
    };
  };
  const headers: readonly RunPart[] = [address('ip.src'), address('ip.dst'), number('ip.proto.num', 0, 140)];
  const ports: readonly RunPart[] = [
    number(`${protocol}.srcport`, 1, 400),
    number(`${protocol}.dstport`, 1, 400),
    interfaces(random, context),
  ];
  const chosen = random.some(context.headers ? headers : [...headers, ...ports], 1, 2).slice(0, 3);
  const few = chosen.length === 0 || (chosen.length === 1 && random.below(4) > 0);
  return few ? [...headers.slice(0, 2), ...chosen] : chosen;
}

function interfaces(random: Random, { hook }: AtomContext): RunPart {
  const field = hook === 'output' ? 'oif.name' : 'iif.name';
  return () => atom(field, [JSON.stringify(random.pick(['rx0', 'out0', 'rx0', 'rx0.7', 'lo']))]);
}

function atom(field: string, items: readonly string[]): Node {
  const [only] = items;
  const operator = only !== undefined && items.length === 1 && !only.includes('..') && !only.includes('/') ? '==' : 'in {}';
  const text = operator === '==' ? `${field} == ${only}` : `${field} in {${items.join(' ')}}`;
  return { kind: 'atom', text, key: `${field} ${operator}` };
}

/** Near the addresses that packets have. */
function network4(random: Random, { hints }: AtomContext, exact: boolean): string {
  const length = exact ? 32 : random.pick([32, 32, 32, 31, 30, 29, 26]);
  const size = 2 ** (32 - length);
  const near = (random.pick(V4) & ~63) >>> 0;
  const first = Math.floor((near + random.below(64)) / size) * size;
  hints.addV4(first, first + size - 1);
  return length === 32 ? printIp(ip4(first)) : `${printIp(ip4(first))}/${length}`;
}

function network6(random: Random, { hints }: AtomContext, exact: boolean): string {
  const length = exact ? 128 : random.pick([128, 128, 128, 127, 126, 124, 64]);
  const size = 2n ** BigInt(128 - length);
  const near = (random.pick(V6) / 64n) * 64n;
  const first = ((near + BigInt(random.below(64))) / size) * size;
  hints.addV6(first, first + size - 1n);
  const word = (shift: bigint): number => Number((first >> shift) & 0xffffffffn);
  const text = printIp(ip6(word(96n), word(64n), word(32n), word(0n)));
  return length === 128 ? text : `${text}/${length}`;
}
