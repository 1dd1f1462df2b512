import { bpfMatch, CT_STATE, type Expression, type MetaKey, prepareExpression } from '@weir/netlink/nftables';
import { Writer } from '@weir/wire/bytes';
import { bitsOf, type Family, type Ip, ipBytes, mask32, parseIp, prefix, rangeAsPrefix } from '@weir/wire/inet';
import { fieldBytes, fieldMask, placed, reversed } from './field-bytes.ts';
import { FIELDS, type FieldInfo, fieldInfo } from './fields.ts';
import type { FieldRange, MapKey, Match } from './image.ts';
import { isInterface, keyLoads } from './map-keys.ts';

/** A set without a name that one rule brings along: keys or ranges of keys, in order and apart, both ends included. */
export interface AnonymousSet {
  /** As nft numbers types. */
  readonly keyType: number;
  /** Bytes. */
  readonly keyLength: number;
  readonly order: 'big' | 'host';
  /** Holds ranges. */
  readonly interval: boolean;
  readonly ranges: readonly { readonly first: Uint8Array; readonly last: Uint8Array }[];
}

const NFPROTO = { 4: 2, 6: 10 } as const;
/** A 16-byte register, as nft uses it. */
export const REGISTER = 1;
/** `__set%d` is what the kernel asks for: it puts a number in. */
const ANONYMOUS = '__set%d';
const IFNAMSIZ = 16;
const IFNAME_TYPE = 41;

// Most rules begin alike: what they have in common is made once.

const is = (key: 'nfproto' | 'l4proto', value: number): readonly Expression[] => [
  loadMeta(key),
  prepareExpression({ kind: 'cmp', sreg: REGISTER, op: 'eq', data: new Uint8Array([value]) }),
];

const metas = new Map<MetaKey, Expression>();

function loadMeta(key: MetaKey): Expression {
  const known = metas.get(key);
  if (known) return known;
  const made = prepareExpression({ kind: 'meta', key, dreg: REGISTER });
  metas.set(key, made);
  return made;
}

const FAMILY_IS: Readonly<Record<Family, readonly Expression[]>> = { 4: is('nfproto', NFPROTO[4]), 6: is('nfproto', NFPROTO[6]) };

const protocols = new Map<number, readonly Expression[]>();

function protocolIs(protocol: number): readonly Expression[] {
  const known = protocols.get(protocol);
  if (known) return known;
  const made = is('l4proto', protocol);
  protocols.set(protocol, made);
  return made;
}

const loads = new WeakMap<FieldInfo['load'], Expression>();

function loadOf(load: Extract<FieldInfo['load'], { kind: 'payload' }>): Expression {
  const known = loads.get(load);
  if (known) return known;
  const { base, offset, length } = load;
  const made = prepareExpression({ kind: 'payload', base, offset, length, dreg: REGISTER });
  loads.set(load, made);
  return made;
}

/** The address whose first `n` bits are set. */
export function maskAddress(family: Family, n: number): Ip {
  return { family, w0: mask32(n), w1: mask32(n - 32), w2: mask32(n - 64), w3: mask32(n - 96) };
}

/** By family and length. */
const prefixMasks = new Map<number, Expression>();

function prefixMask(family: Family, n: number): Expression {
  const key = family * 256 + n;
  const known = prefixMasks.get(key);
  if (known) return known;
  const made = prepareExpression(masked(ipBytes(maskAddress(family, n))));
  prefixMasks.set(key, made);
  return made;
}

function masked(mask: Uint8Array): Expression {
  const { length } = mask;
  return { kind: 'bitwise', op: 'mask-xor', sreg: REGISTER, dreg: REGISTER, length, mask, xor: new Uint8Array(length) };
}

/** Writes conditions as nft does: one on a header first makes sure, once a rule, that the packet has one. */
export class MatchCompiler {
  readonly expressions: Expression[] = [];
  readonly sets: AnonymousSet[] = [];
  /** By name. */
  readonly programs: string[] = [];
  #family: Family | undefined;
  #protocol: number | undefined;

  match(match: Match): void {
    switch (match.kind) {
      case 'interface':
        this.#meta(match.direction === 'in' ? 'iifname' : 'oifname');
        this.#compare(match.not ? 'neq' : 'eq', interfaceBytes(match.name));
        return;
      case 'interfaces': {
        const [only] = match.names;
        this.#meta(match.direction === 'in' ? 'iifname' : 'oifname');
        if (only !== undefined && match.names.length === 1) this.#compare(match.not ? 'neq' : 'eq', wholeName(only));
        else {
          const ranges = match.names.map((name) => ({ first: wholeName(name), last: wholeName(name) }));
          this.#lookup({ keyType: IFNAME_TYPE, keyLength: IFNAMSIZ, order: 'host', interval: false, ranges }, match.not ?? false);
        }
        return;
      }
      case 'family':
        this.needFamily(match.family);
        return;
      case 'member':
        this.loadAddress(match.family, match.side, match.bits);
        this.expressions.push({ kind: 'lookup', set: match.set, sreg: REGISTER, ...(match.absent ? { invert: true } : {}) });
        return;
      case 'connection': {
        const bits = match.states.reduce((sum, state) => sum | CT_STATE[state], 0);
        this.expressions.push({ kind: 'ct', key: 'state', dreg: REGISTER });
        this.#mask(new Writer(4).u32LE(bits).finish());
        this.#compare(match.not ? 'eq' : 'neq', new Uint8Array(4));
        return;
      }
      case 'bits': {
        const info = fieldInfo(match.field);
        this.loadField(info, false);
        const mask = placed(match.mask, info.shift, info.load.length);
        this.#mask(info.order === 'host' ? reversed(mask) : mask);
        this.#compare(match.not ? 'eq' : 'neq', new Uint8Array(mask.length));
        return;
      }
      case 'field':
        this.#field(fieldInfo(match.field), match.ranges, match.not ?? false);
        return;
      case 'program':
        // A name stands for the place where the table's programs are; who writes the rule knows it.
        this.expressions.push(bpfMatch({ kind: 'pinned', path: match.program }));
        if (!match.program.startsWith('/')) this.programs.push(match.program);
        return;
    }
  }

  #field(info: FieldInfo, ranges: readonly FieldRange[], not: boolean): void {
    const [only] = ranges;
    const single = ranges.length === 1 ? only : undefined;
    const value = single && single[0] === single[1] ? single[0] : undefined;
    if (info.text === FIELDS.protocol.text && typeof value === 'number' && !not) {
      this.needProtocol(value);
      return;
    }
    this.loadField(info);
    const prefixText = single && value === undefined ? asPrefix(single) : undefined;
    if (prefixText !== undefined) this.#prefix(prefixText, not);
    else this.#oneOf(info, ranges, not);
  }

  /** Loads the bytes of a field, once the packet is known to be one that has it; `whole`: without the bits beside it. */
  loadField(info: FieldInfo, whole = true): void {
    if (info.family !== undefined) this.needFamily(info.family);
    if (info.protocol !== undefined) this.needProtocol(info.protocol);
    const { load } = info;
    if (load.kind === 'meta') this.#meta(load.key);
    else if (load.kind === 'extension') {
      const { type, offset, length } = load;
      this.expressions.push({ kind: 'exthdr', of: 'ipv6', type, offset, length, dreg: REGISTER });
    } else {
      this.expressions.push(loadOf(load));
    }
    const mask = whole ? fieldMask(info) : undefined;
    if (mask) this.#mask(mask);
  }

  /** Loads an address, or its first bits. */
  loadAddress(family: Family, side: 'source' | 'destination', bits: number | undefined): void {
    this.loadField(FIELDS[addressField(family, side)]);
    if (bits !== undefined && bits < (family === 4 ? 32 : 128)) this.expressions.push(prefixMask(family, bits));
  }

  /** Loads the fields of a key side by side, as a set keeps them; first it is made sure that the packet has them. `bits`: of the address that is the only one. */
  loadKeys(keys: readonly MapKey[], bits?: number): void {
    for (const key of keys) {
      if (isInterface(key)) continue;
      const { family, protocol } = FIELDS[key];
      if (family !== undefined) this.needFamily(family);
      if (protocol !== undefined) this.needProtocol(protocol);
    }
    this.expressions.push(...keyLoads(keys));
    const [only] = keys;
    const family = only === undefined || isInterface(only) ? undefined : FIELDS[only].family;
    if (bits !== undefined && family !== undefined && bits < bitsOf(family)) this.expressions.push(prefixMask(family, bits));
  }

  needFamily(family: Family): void {
    if (this.#family === family) return;
    this.#family = family;
    this.expressions.push(...FAMILY_IS[family]);
  }

  needProtocol(protocol: number): void {
    if (this.#protocol === protocol) return;
    this.#protocol = protocol;
    this.expressions.push(...protocolIs(protocol));
  }

  #prefix(text: string, not: boolean): void {
    const wanted = prefix(text);
    const { family, length: n } = wanted;
    if (n < (family === 4 ? 32 : 128)) this.expressions.push(prefixMask(family, n));
    this.#compare(not ? 'neq' : 'eq', ipBytes(wanted));
  }

  /** The register, in the order that it was loaded in, holds one of the values. */
  #oneOf(info: FieldInfo, ranges: readonly FieldRange[], not: boolean): void {
    const interval = ranges.some(([first, last]) => first !== last);
    const { length } = info.load;
    // Ranges are compared as big-endian numbers; single values in the order that they have.
    const host = info.order === 'host';
    if (host && interval) this.expressions.push({ kind: 'byteorder', sreg: REGISTER, dreg: REGISTER, op: 'hton', length, size: length });
    const bytesOf = (value: FieldRange[0]): Uint8Array => {
      const bytes = fieldBytes(info, value);
      return host && !interval ? reversed(bytes) : bytes;
    };
    const [only] = ranges;
    if (only && ranges.length === 1) {
      const [first, last] = [bytesOf(only[0]), bytesOf(only[1])];
      if (!interval) this.#compare(not ? 'neq' : 'eq', first);
      else if (not) this.expressions.push({ kind: 'range', sreg: REGISTER, op: 'neq', from: first, to: last });
      else {
        this.#compare('gte', first);
        this.#compare('lte', last);
      }
      return;
    }
    // The bits beside the highest value are masked away: nft has no end for it.
    const highest = 2 ** info.bits - 1;
    const lastOf = (value: FieldRange[0]): Uint8Array =>
      interval && info.shift === 0 && value === highest ? new Uint8Array(length).fill(255) : bytesOf(value);
    const keys = ranges.map(([first, last]) => ({ first: bytesOf(first), last: lastOf(last) }));
    this.#lookup({ keyType: info.type, keyLength: length, order: info.order, interval, ranges: keys }, not);
  }

  #lookup(set: AnonymousSet, not: boolean): void {
    this.expressions.push({ kind: 'lookup', set: ANONYMOUS, sreg: REGISTER, setId: this.sets.length, ...(not ? { invert: true } : {}) });
    this.sets.push(set);
  }

  #meta(key: MetaKey): void {
    this.expressions.push(loadMeta(key));
  }

  #mask(mask: Uint8Array): void {
    this.expressions.push(masked(mask));
  }

  #compare(op: 'eq' | 'neq' | 'gte' | 'lte', data: Uint8Array): void {
    this.expressions.push({ kind: 'cmp', sreg: REGISTER, op, data });
  }
}

function addressField(family: Family, side: 'source' | 'destination'): 'saddr4' | 'daddr4' | 'saddr6' | 'daddr6' {
  return side === 'source' ? (family === 4 ? 'saddr4' : 'saddr6') : family === 4 ? 'daddr4' : 'daddr6';
}

/** A range of addresses as the prefix that it is. */
export function asPrefix([first, last]: FieldRange): string | undefined {
  if (typeof first !== 'string' || typeof last !== 'string') return undefined;
  const [from, to] = [parseIp(first), parseIp(last)];
  const found = from && to && rangeAsPrefix(from, to);
  return found && `${first}/${found.length}`;
}

/** The whole register for a name, so that nothing may follow it; the bytes before the `*` for the start of names. */
function interfaceBytes(name: string): Uint8Array {
  if (!name.endsWith('*')) return wholeName(name);
  const bytes = new TextEncoder().encode(name);
  return bytes.subarray(0, bytes.length - 1);
}

/** A whole name as a key has it. */
export function wholeName(name: string): Uint8Array {
  const out = new Uint8Array(IFNAMSIZ);
  out.set(new TextEncoder().encode(name).subarray(0, IFNAMSIZ - 1));
  return out;
}
