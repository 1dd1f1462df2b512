// Rules of five fields as ClassBench writes them: read from a file or made here, as rules of Weir, nft and iptables, and packets that they are about.
import { type Expr, interval, intSet, ipSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, printIp } from '@weir/wire/inet';
import { testRule } from '../../apps/weir/src/compile/test-rule.ts';
import type { HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { Random } from '../e2e/random.ts';

export interface Network {
  /** The first address. */
  readonly address: number;
  readonly bits: number;
}

type Ports = readonly [first: number, last: number];

export interface FiveTuple {
  readonly source: Network;
  readonly destination: Network;
  /** Asked only of protocols that have ports. */
  readonly sourcePorts: Ports;
  readonly destinationPorts: Ports;
  /** undefined is any. */
  readonly protocol: number | undefined;
}

const ANY_PORT: Ports = [0, 65_535];
const ANYWHERE: Network = { address: 0, bits: 0 };
const TCP = 6;
const UDP = 17;

/** A file in ClassBench's format: `@source/bits destination/bits first : last first : last protocol/mask`, by tabs. What follows is not read. */
export function parseFiveTuples(text: string): readonly FiveTuple[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const [source, destination, from, to, protocol] = line.replace(/^@/, '').split('\t');
    const [number, mask] = (protocol ?? '').split('/').map(Number);
    if (number === undefined || mask === undefined || Number.isNaN(number + mask)) throw new SyntaxError(`line ${index + 1}: ${line}`);
    return {
      source: parseNetwork(source ?? '', index),
      destination: parseNetwork(destination ?? '', index),
      sourcePorts: parsePorts(from ?? '', index),
      destinationPorts: parsePorts(to ?? '', index),
      protocol: mask === 0 ? undefined : number,
    };
  });
}

function parseNetwork(text: string, index: number): Network {
  const found = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (!found) throw new SyntaxError(`line ${index + 1}: ${text}`);
  const [a, b, c, d, bits] = found.slice(1).map(Number) as [number, number, number, number, number];
  return network(((a * 256 + b) * 256 + c) * 256 + d, bits);
}

function parsePorts(text: string, index: number): Ports {
  const [first, last] = text.split(':').map(Number);
  if (first === undefined || last === undefined || !(first <= last && last <= 65_535)) throw new SyntaxError(`line ${index + 1}: ${text}`);
  return [first, last];
}

function network(address: number, bits: number): Network {
  const size = 2 ** (32 - bits);
  return { address: address - (address % size), bits };
}

export type Kind = 'acl' | 'fw' | 'ipc';

export const KINDS: readonly Kind[] = ['acl', 'fw', 'ipc'];

interface Style {
  /** How many of a hundred are any address, and the lengths of the others, each as often as it is named. */
  readonly anySource: number;
  readonly anyDestination: number;
  readonly sourceBits: readonly number[];
  readonly destinationBits: readonly number[];
  /** Of a hundred with ports: a source port, a destination port, a range of destination ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly destinationRange: number;
  /** 0 is any. */
  readonly protocols: readonly number[];
}

/** After the sets that ClassBench makes from real ones: access lists, firewalls, and chains of hosts. */
const STYLES: Readonly<Record<Kind, Style>> = {
  acl: {
    anySource: 10,
    anyDestination: 2,
    sourceBits: [32, 32, 32, 28, 24, 24, 16],
    destinationBits: [32, 32, 32, 30, 27, 24],
    sourcePort: 1,
    destinationPort: 70,
    destinationRange: 15,
    protocols: [TCP, TCP, TCP, TCP, TCP, TCP, TCP, UDP, UDP, 1, 0],
  },
  fw: {
    anySource: 35,
    anyDestination: 20,
    sourceBits: [32, 28, 26, 25, 24, 22, 16, 8],
    destinationBits: [32, 32, 32, 30, 24, 16],
    sourcePort: 15,
    destinationPort: 55,
    destinationRange: 20,
    protocols: [TCP, TCP, TCP, TCP, TCP, TCP, UDP, UDP, 1, 47, 0],
  },
  ipc: {
    anySource: 5,
    anyDestination: 5,
    sourceBits: [32, 32, 32, 32, 30, 28, 24, 20],
    destinationBits: [32, 32, 32, 32, 29, 24, 16],
    sourcePort: 25,
    destinationPort: 45,
    destinationRange: 5,
    protocols: [TCP, TCP, TCP, UDP, UDP, 1, 0, 0],
  },
};

const SERVICES = [
  20, 21, 22, 23, 25, 53, 67, 69, 80, 110, 111, 123, 135, 139, 143, 161, 179, 389, 443, 445, 514, 587, 993, 1433, 1521, 1723, 3306, 3389,
  5060, 5432, 8080,
];
const RANGES: readonly Ports[] = [
  [1024, 65_535],
  [0, 1023],
  [6000, 6063],
  [1024, 5000],
  [49_152, 65_535],
  [8000, 8999],
];

/** `count` rules of a kind, all different, from a seed. */
export function makeFiveTuples(kind: Kind, count: number, seed: number): readonly FiveTuple[] {
  const random = new Random(seed);
  const style = STYLES[kind];
  const sources = makeSites(random, count);
  const destinations = makeSites(random, count);
  const seen = new Set<string>();
  const out: FiveTuple[] = [];
  while (out.length < count) {
    const number = random.pick(style.protocols);
    const protocol = number === 0 ? undefined : number;
    const ports = protocol === TCP || protocol === UDP;
    const percent = random.below(100);
    const exact = percent < style.destinationPort;
    const service = random.below(8) === 0 ? 1024 + random.below(count) : random.pick(SERVICES);
    const one: FiveTuple = {
      source:
        random.below(100) < style.anySource ? ANYWHERE : network(random.pick(sources) + random.below(256), random.pick(style.sourceBits)),
      destination:
        random.below(100) < style.anyDestination
          ? ANYWHERE
          : network(random.pick(destinations) + random.below(256), random.pick(style.destinationBits)),
      sourcePorts: ports && random.below(100) < style.sourcePort ? pickPorts(random, SERVICES) : ANY_PORT,
      destinationPorts: !ports
        ? ANY_PORT
        : exact
          ? [service, service]
          : percent < style.destinationPort + style.destinationRange
            ? random.pick(RANGES)
            : ANY_PORT,
      protocol,
    };
    const key = JSON.stringify(one);
    // What takes everything would leave the rules behind it without a packet.
    if (seen.has(key) || one.source.bits + one.destination.bits < 16) continue;
    seen.add(key);
    out.push(one);
  }
  // More special ones come first, as in lists that people keep.
  return out.sort((a, b) => breadth(a) - breadth(b));
}

function breadth({ source, destination }: FiveTuple): number {
  return (source.bits === 0 ? 1 : 0) + (destination.bits === 0 ? 1 : 0);
}

function pickPorts(random: Random, from: readonly number[]): Ports {
  const port = random.pick(from);
  return [port, port];
}

/** Networks of 256 addresses, in some larger ones. */
function makeSites(random: Random, count: number): readonly number[] {
  const regions = Array.from(
    { length: 8 + Math.floor(count / 500) },
    () => (1 + random.below(222)) * 0x100_0000 + random.below(256) * 0x1_0000,
  );
  return Array.from({ length: 4 + Math.floor(count / 8) }, () => random.pick(regions) + random.below(256) * 256);
}

/** The rules in order, every second one denying, and the default that denies. */
export function toHookRules(tuples: readonly FiveTuple[], hook: HookRules['hook'] = 'prerouting'): HookRules {
  const rules = tuples.map(
    (tuple, index): Rule => testRule(`rule-${index}`, toExpression(tuple), { kind: isDenied(index) ? 'deny' : 'allow' }),
  );
  return { hook, priority: 0, rules: [...rules, testRule('default', x.constant(true), { kind: 'deny' })] };
}

function isDenied(index: number): boolean {
  return index % 2 === 1;
}

function toExpression({ source, destination, sourcePorts, destinationPorts, protocol }: FiveTuple): Expr {
  const name = protocol === TCP ? 'tcp' : protocol === UDP ? 'udp' : undefined;
  const items: Expr[] = [];
  for (const [field, { address, bits }] of [
    ['ip.src', source],
    ['ip.dst', destination],
  ] as const)
    if (bits > 0) items.push(x.ip(field, ipSet([{ first: ip4(address), last: ip4(address + 2 ** (32 - bits) - 1) }])));
  if (protocol !== undefined) items.push(x.int('ip.proto.num', intSet(protocol)));
  if (name !== undefined && !isAnyPort(sourcePorts)) items.push(x.int(`${name}.srcport`, interval(...sourcePorts)));
  if (name !== undefined && !isAnyPort(destinationPorts)) items.push(x.int(`${name}.dstport`, interval(...destinationPorts)));
  return x.and(items);
}

function isAnyPort([first, last]: Ports): boolean {
  return first === 0 && last === 65_535;
}

function printNetwork({ address, bits }: Network): string {
  return `${printIp(ip4(address))}/${bits}`;
}

/** The rules as a table of nft, one after the other, at the hook at which Weir's would be. */
export function toNft(tuples: readonly FiveTuple[], table: string): string {
  const lines = tuples.map(({ source, destination, sourcePorts, destinationPorts, protocol }, index) => {
    const name = protocol === TCP ? 'tcp' : protocol === UDP ? 'udp' : undefined;
    const parts = [
      ...(source.bits > 0 ? [`ip saddr ${printNetwork(source)}`] : []),
      ...(destination.bits > 0 ? [`ip daddr ${printNetwork(destination)}`] : []),
      ...(protocol === undefined ? [] : [`meta l4proto ${protocol}`]),
      ...(name !== undefined && !isAnyPort(sourcePorts) ? [`${name} sport ${sourcePorts.join('-')}`] : []),
      ...(name !== undefined && !isAnyPort(destinationPorts) ? [`${name} dport ${destinationPorts.join('-')}`] : []),
    ];
    return `    ${parts.join(' ')} counter ${isDenied(index) ? 'drop' : 'accept'}`;
  });
  return `table ip ${table} {\n  chain c {\n    type filter hook prerouting priority raw; policy drop;\n${lines.join('\n')}\n  }\n}\n`;
}

/** The same for iptables-restore, which counts by itself. */
export function toIptables(tuples: readonly FiveTuple[]): string {
  const lines = tuples.map(({ source, destination, sourcePorts, destinationPorts, protocol }, index) => {
    const ports = protocol === TCP || protocol === UDP;
    const parts = [
      ...(source.bits > 0 ? [`-s ${printNetwork(source)}`] : []),
      ...(destination.bits > 0 ? [`-d ${printNetwork(destination)}`] : []),
      ...(protocol === undefined ? [] : [`-p ${protocol}`]),
      ...(ports && !(isAnyPort(sourcePorts) && isAnyPort(destinationPorts)) ? [`-m ${protocol === TCP ? 'tcp' : 'udp'}`] : []),
      ...(ports && !isAnyPort(sourcePorts) ? [`--sport ${sourcePorts.join(':')}`] : []),
      ...(ports && !isAnyPort(destinationPorts) ? [`--dport ${destinationPorts.join(':')}`] : []),
    ];
    return `-A PREROUTING ${parts.join(' ')} -j ${isDenied(index) ? 'DROP' : 'ACCEPT'}`;
  });
  return `*raw\n:PREROUTING DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
}

/** What a packet is about: five numbers. */
export interface Header {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Headers that rules take, each of a rule picked by chance, at a place in it picked by chance. */
export function makeTrace(tuples: readonly FiveTuple[], count: number, seed: number): readonly Header[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const { source, destination, sourcePorts, destinationPorts, protocol } = random.pick(tuples);
    return {
      source: within(random, source),
      destination: within(random, destination),
      protocol: protocol ?? random.pick([TCP, UDP]),
      sourcePort: sourcePorts[0] + random.below(sourcePorts[1] - sourcePorts[0] + 1),
      destinationPort: destinationPorts[0] + random.below(destinationPorts[1] - destinationPorts[0] + 1),
    };
  });
}

function within(random: Random, { address, bits }: Network): number {
  return address + (bits === 0 ? (1 + random.below(222)) * 0x100_0000 + random.below(0x100_0000) : random.below(2 ** (32 - bits)));
}
