import {
  buildPacket,
  type ConnectionState,
  icmpTypeNumber,
  Packet,
  type PacketContext,
  type PacketDescription,
  TCP_FLAGS,
  type Transport,
} from '@weir/filter/packet';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { type Ip, parseIp } from '@weir/wire/inet';

/** A packet that was written in words, with what its bytes do not say. */
export interface WordedPacket {
  readonly description: PacketDescription;
  readonly context: PacketContext;
}

export type WordsResult = { readonly ok: true; readonly packet: WordedPacket } | { readonly ok: false; readonly message: string };

const STATES: readonly ConnectionState[] = ['new', 'established', 'related', 'invalid', 'untracked'];
/** Port of the side that does not matter. */
const EPHEMERAL = 50_000;
const MAX_PAYLOAD = 65_000;

/**
 * Reads `PROTOCOL SOURCE[:PORT] [->] DESTINATION[:PORT] WORD...`, which is also how packets are described elsewhere: `tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN
 * in eth0`. Words: TCP flags (`SYN,ACK`), an ICMP type by name or `type N`, `code N`, `ttl N`, `tos N`, `length N` (octets of payload), `payload HEX`, `in NAME`,
 * `out NAME`, `state NAME`, `mark N`, `uid N`, `fragment at N`. A new TCP packet is a SYN. IPv6 addresses with a port stand in brackets.
 */
export function parsePacketWords(words: readonly string[]): WordsResult {
  try {
    return { ok: true, packet: read(words) };
  } catch (error) {
    if (error instanceof WordError) return { ok: false, message: error.message };
    throw error;
  }
}

/** The packet itself, from its IP header on. */
export function packetOf({ description, context }: WordedPacket): Packet {
  return Packet.fromNetwork(buildPacket(description), context);
}

class WordError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WordError';
  }
}

interface End {
  readonly ip: Ip;
  readonly port: number | undefined;
}

interface Words {
  flags?: number;
  type?: number;
  code?: number;
  ttl?: number;
  tos?: number;
  mark?: number;
  uid?: number;
  iif?: string;
  oif?: string;
  state?: ConnectionState;
  payload?: Uint8Array;
  fragment?: { offset: number; more: boolean };
}

function read(words: readonly string[]): WordedPacket {
  const [protocol = '', source = '', ...rest] = words.filter((word) => word !== '->');
  const [destination = '', ...more] = rest;
  if (destination === '')
    throw new WordError('a packet is PROTOCOL SOURCE[:PORT] DESTINATION[:PORT], such as tcp 198.51.100.7 203.0.113.5:443');
  const [from, to] = [end(source), end(destination)];
  if (from.ip.family !== to.ip.family) throw new WordError(`${source} and ${destination} are of different families`);
  const w = options(more, from.ip.family);
  const description: PacketDescription = {
    source: from.ip,
    destination: to.ip,
    transport: transport(protocol, from, to, w),
    ...(w.ttl === undefined ? {} : { ttl: w.ttl }),
    ...(w.tos === undefined ? {} : { tos: w.tos }),
    ...(w.fragment ? { fragment: w.fragment } : {}),
  };
  const { iif, oif, mark, uid } = w;
  const initial: ConnectionState = w.flags !== undefined && (w.flags & TCP_FLAGS.ack) !== 0 ? 'established' : 'new';
  return { description, context: { iif, oif, mark, uid, state: w.state ?? initial } };
}

function transport(protocol: string, from: End, to: End, w: Words): Transport {
  const payload = w.payload === undefined ? {} : { payload: w.payload };
  const name = protocol.toLowerCase();
  const ports = { sourcePort: from.port ?? EPHEMERAL, destinationPort: to.port ?? 0 };
  if (name === 'tcp' || name === 'udp' || name === 'sctp') {
    if (to.port === undefined) throw new WordError(`${name} needs a port at the destination`);
    if (name === 'tcp') return { kind: 'tcp', ...ports, flags: w.flags ?? TCP_FLAGS.syn, ...payload };
    return name === 'udp' ? { kind: 'udp', ...ports, ...payload } : { kind: 'sctp', ...ports };
  }
  if (from.port !== undefined || to.port !== undefined) throw new WordError(`${protocol} has no ports`);
  if (name === 'icmp' || name === 'icmpv6') {
    if ((name === 'icmpv6') !== (from.ip.family === 6)) throw new WordError(`${name} is not the ICMP of IPv${from.ip.family}`);
    return { kind: 'icmp', type: w.type ?? (from.ip.family === 4 ? 8 : 128), code: w.code ?? 0, ...payload };
  }
  if (name === 'esp') return { kind: 'esp', spi: 1, sequence: 1, ...payload };
  if (name === 'gre') return { kind: 'gre', protocol: 0x800, ...payload };
  const number = IP_PROTOCOLS[name] ?? (/^\d{1,3}$/.test(name) && Number(name) < 256 ? Number(name) : undefined);
  if (number === undefined) throw new WordError(`${protocol} is no protocol: its name, or its number from 0 to 255`);
  return { kind: 'raw', protocol: number, ...payload };
}

function end(text: string): End {
  const bracket = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text);
  const plain = bracket ?? /^(\d+\.\d+\.\d+\.\d+)(?::(\d{1,5}))?$/.exec(text);
  const ip = parseIp(plain?.[1] ?? text);
  if (!ip) throw new WordError(`${text} is no address, or address and port (an IPv6 address with a port stands in brackets)`);
  const port = plain?.[2] === undefined ? undefined : Number(plain[2]);
  if (port !== undefined && port > 65_535) throw new WordError(`${text}: a port is 0 to 65535`);
  return { ip, port };
}

function options(words: readonly string[], family: 4 | 6): Words {
  const w: Words = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const value = (): string => {
      const next = words[++i];
      if (next === undefined) throw new WordError(`${word} needs a value`);
      return next;
    };
    switch (word) {
      case 'in':
        w.iif = value();
        break;
      case 'out':
        w.oif = value();
        break;
      case 'ttl':
      case 'tos':
      case 'type':
      case 'code':
        w[word] = number(word, value(), 255);
        break;
      case 'mark':
      case 'uid':
        w[word] = number(word, value(), 0xffff_ffff);
        break;
      case 'length':
        w.payload = new Uint8Array(number(word, value(), MAX_PAYLOAD));
        break;
      case 'payload':
        w.payload = octets(value());
        break;
      case 'state':
        w.state = state(value());
        break;
      case 'fragment':
        if (words[i + 1] === 'at') i++;
        w.fragment = { offset: Math.floor(number('fragment at', value(), 65_528) / 8), more: words[i + 1] === 'of' };
        if (w.fragment.more) i += 2;
        break;
      default:
        other(word, w, family);
    }
  }
  return w;
}

/** TCP flags or the name of an ICMP type. */
function other(word: string, w: Words, family: 4 | 6): void {
  const type = icmpTypeNumber(family, word);
  if (type !== undefined) {
    w.type = type;
    return;
  }
  const names = word.toLowerCase().split(',');
  const bits = names.map((name) => (name === 'none' ? 0 : TCP_FLAGS[name as keyof typeof TCP_FLAGS]));
  if (bits.some((bit) => bit === undefined)) throw new WordError(`${word} is not understood`);
  w.flags = bits.reduce((sum: number, bit) => sum | (bit ?? 0), 0);
}

function number(what: string, text: string, max: number): number {
  const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new WordError(`${what}: ${text} is not a number from 0 to ${max}`);
  return value;
}

function octets(text: string): Uint8Array {
  const digits = text.replaceAll(':', '');
  if (!/^([0-9a-f]{2})*$/i.test(digits) || digits.length > 2 * MAX_PAYLOAD)
    throw new WordError('payload: pairs of hexadecimal digits are needed');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function state(text: string): ConnectionState {
  const found = STATES.find((one) => one === text);
  if (!found) throw new WordError(`state: ${text} is none of ${STATES.join(', ')}`);
  return found;
}
