import { CT_STATE, type Expression, encodeExpression } from '@weir/netlink/nftables';
import { Writer } from '@weir/wire/bytes';
import { type Family, ipBytes, mask32, prefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';
import type { Match, RuleImage } from './image.ts';
import { PROTOCOL } from './numbers.ts';

/** A set without a name that one rule brings along: values or ranges of one field, in order, both ends included. */
export interface AnonymousSet {
  readonly type: 'service' | 'icmp-type' | 'icmpv6-type';
  readonly values: readonly PortRange[];
}

/** A rule as the kernel takes it. A lookup with `setId` n means `sets[n]`. */
export interface CompiledRule {
  readonly name: string;
  readonly expressions: readonly Expression[];
  readonly sets: readonly AnonymousSet[];
  /** Differs when what the rule does differs: 16 hexadecimal digits, kept in the rule's user data. */
  readonly fingerprint: string;
}

const NFPROTO = { 4: 2, 6: 10 } as const;
/** A 16-byte register, as nft uses it. */
const REGISTER = 1;
/** `__set%d` is what the kernel asks for: it puts a number in. */
const ANONYMOUS = '__set%d';
const IFNAMSIZ = 16;
const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

export function compileRule(rule: RuleImage): CompiledRule {
  const compiler = new RuleCompiler();
  for (const match of rule.matches) compiler.match(match);
  const { verdict } = rule;
  compiler.expressions.push({ kind: 'counter', packets: 0n, bytes: 0n });
  compiler.expressions.push({ kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict } });
  const { expressions, sets } = compiler;
  return { name: rule.name, expressions, sets, fingerprint: fingerprint(rule.name, expressions, sets) };
}

const FNV_PRIME = 0x100000001b3n;
const FNV_OFFSET = 0xcbf29ce484222325n;

/** FNV-1a, 64 bits: two rules that differ and share it would have to be in the same place of the same chain to matter. */
function fingerprint(name: string, expressions: readonly Expression[], sets: readonly AnonymousSet[]): string {
  const w = new Writer(512);
  w.bytes(new TextEncoder().encode(`${name}\0${JSON.stringify(sets)}\0`));
  for (const expression of expressions) encodeExpression(w, expression);
  let hash = FNV_OFFSET;
  for (const byte of w.view()) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash.toString(16).padStart(16, '0');
}

/** Writes expressions as nft does: a condition on a header first makes sure, once a rule, that the packet has one. */
class RuleCompiler {
  readonly expressions: Expression[] = [];
  readonly sets: AnonymousSet[] = [];
  #family: Family | undefined;
  #protocol: number | undefined;

  match(match: Match): void {
    switch (match.kind) {
      case 'interface':
        this.expressions.push({ kind: 'meta', key: match.direction === 'in' ? 'iifname' : 'oifname', dreg: REGISTER });
        this.#equal(interfaceBytes(match.name));
        return;
      case 'member':
        this.#needFamily(match.family);
        this.#address(match.family, match.side);
        this.expressions.push({ kind: 'lookup', set: match.set, sreg: REGISTER, ...(match.absent ? { invert: true } : {}) });
        return;
      case 'address':
        this.#needFamily(match.family);
        this.#prefix(match.family, match.side, match.prefix);
        return;
      case 'protocol':
        this.#needProtocol(PROTOCOL[match.protocol]);
        return;
      case 'port':
        this.#needProtocol(PROTOCOL[match.protocol]);
        this.#load('transport', match.side === 'source' ? 0 : 2, 2);
        this.#oneOf('service', 2, match.ranges);
        return;
      case 'icmp':
        this.#icmp(match.family, match.types, match.code);
        return;
      case 'hop-limit':
        this.#needFamily(6);
        this.#load('network', 7, 1);
        this.#equal(new Uint8Array([match.value]));
        return;
      case 'tcp-not-first': {
        const { fin, syn, rst, ack } = TCP_FLAGS;
        this.#needProtocol(PROTOCOL.tcp);
        this.#load('transport', 13, 1);
        this.#mask(new Uint8Array([fin | syn | rst | ack]));
        this.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'neq', data: new Uint8Array([syn]) });
        return;
      }
      case 'connection': {
        const bits = match.states.reduce((sum, state) => sum | CT_STATE[state], 0);
        this.expressions.push({ kind: 'ct', key: 'state', dreg: REGISTER });
        this.#mask(new Writer(4).u32LE(bits).finish());
        this.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'neq', data: new Uint8Array(4) });
        return;
      }
    }
  }

  #icmp(family: Family, types: readonly number[], code: number | undefined): void {
    this.#needFamily(family);
    this.#needProtocol(family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6);
    if (code !== undefined && types.length === 1) {
      // Adjacent fields are loaded at once, as nft does.
      this.#load('transport', 0, 2);
      this.#equal(new Uint8Array([types[0] ?? 0, code]));
      return;
    }
    this.#load('transport', 0, 1);
    const values = [...types].sort((a, b) => a - b).map((type) => ({ from: type, to: type }));
    this.#oneOf(family === 4 ? 'icmp-type' : 'icmpv6-type', 1, values);
    if (code === undefined) return;
    this.#load('transport', 1, 1);
    this.#equal(new Uint8Array([code]));
  }

  #needFamily(family: Family): void {
    if (this.#family === family) return;
    this.#family = family;
    this.expressions.push({ kind: 'meta', key: 'nfproto', dreg: REGISTER });
    this.#equal(new Uint8Array([NFPROTO[family]]));
  }

  #needProtocol(protocol: number): void {
    if (this.#protocol === protocol) return;
    this.#protocol = protocol;
    this.expressions.push({ kind: 'meta', key: 'l4proto', dreg: REGISTER });
    this.#equal(new Uint8Array([protocol]));
  }

  #address(family: Family, side: 'source' | 'destination'): void {
    if (family === 4) this.#load('network', side === 'source' ? 12 : 16, 4);
    else this.#load('network', side === 'source' ? 8 : 24, 16);
  }

  #prefix(family: Family, side: 'source' | 'destination', text: string): void {
    const wanted = prefix(text);
    this.#address(family, side);
    if (wanted.length < (family === 4 ? 32 : 128)) {
      const n = wanted.length;
      this.#mask(ipBytes({ family, w0: mask32(n), w1: mask32(n - 32), w2: mask32(n - 64), w3: mask32(n - 96) }));
    }
    this.#equal(ipBytes(wanted));
  }

  #oneOf(type: AnonymousSet['type'], width: 1 | 2, values: readonly PortRange[]): void {
    const [only] = values;
    if (only && values.length === 1) {
      if (only.from === only.to) this.#equal(bigEndian(only.from, width));
      else {
        this.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'gte', data: bigEndian(only.from, width) });
        this.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'lte', data: bigEndian(only.to, width) });
      }
      return;
    }
    this.expressions.push({ kind: 'lookup', set: ANONYMOUS, sreg: REGISTER, setId: this.sets.length });
    this.sets.push({ type, values });
  }

  #load(base: 'network' | 'transport', offset: number, length: number): void {
    this.expressions.push({ kind: 'payload', base, offset, length, dreg: REGISTER });
  }

  #mask(mask: Uint8Array): void {
    const { length } = mask;
    this.expressions.push({
      kind: 'bitwise',
      op: 'mask-xor',
      sreg: REGISTER,
      dreg: REGISTER,
      length,
      mask,
      xor: new Uint8Array(length),
    });
  }

  #equal(data: Uint8Array): void {
    this.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'eq', data });
  }
}

function bigEndian(value: number, width: 1 | 2): Uint8Array {
  return width === 1 ? new Uint8Array([value]) : new Uint8Array([value >>> 8, value & 255]);
}

/** The whole register for a name, so that nothing may follow it; the bytes before the `*` for the start of names. */
function interfaceBytes(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (name.endsWith('*')) return bytes.subarray(0, bytes.length - 1);
  const out = new Uint8Array(IFNAMSIZ);
  out.set(bytes.subarray(0, IFNAMSIZ - 1));
  return out;
}
