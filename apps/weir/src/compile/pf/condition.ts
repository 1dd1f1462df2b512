import {
  type Box,
  complementSet,
  type IpSet,
  type IrSpan,
  ipSetPrefixes,
  isEmptyIpSet,
  type RangeSet,
  rangeSet,
  type Test,
} from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { printPrefix } from '@weir/wire/inet';
import { Unsayable } from '../refusal.ts';
import type { Tables } from './tables.ts';

/** What a rule of pf asks of a packet. */
export interface Condition {
  /** `on em0` */
  readonly on: string;
  /** `inet proto tcp from any to any port 80 flags S/SA` */
  readonly rest: string;
  /** `proto tcp` is among them. */
  readonly tcp: boolean;
  readonly flags: boolean;
  /** Packets of TCP can be among them. */
  readonly canBeTcp: boolean;
}

export interface ConditionContext {
  readonly hook: 'input' | 'output';
  readonly tables: Tables;
  /** Packets of known connections never come to this rule. */
  readonly fresh: boolean;
  /** Part of the base that every policy has. */
  readonly builtin: boolean;
}

const FLAGS: Readonly<Record<string, string>> = {
  'tcp.flags.fin': 'F',
  'tcp.flags.syn': 'S',
  'tcp.flags.reset': 'R',
  'tcp.flags.push': 'P',
  'tcp.flags.ack': 'A',
  'tcp.flags.urg': 'U',
  'tcp.flags.ecn': 'E',
  'tcp.flags.cwr': 'W',
};
/** More values than these are not listed. */
const MOST_VALUES = 64;
const ICMP_ROWS = { 'icmp.type': 'icmp-type', 'icmpv6.type': 'icmp6-type' } as const;

export function unsayable(construct: string, span: IrSpan | undefined): Unsayable {
  return new Unsayable('pf', construct, span);
}

/** The conditions of which a packet of the box meets one; none when no packet is in the box. Throws Unsayable. */
export function conditionsOf(box: Box, context: ConditionContext): readonly Condition[] {
  const builder = new Builder(box, context);
  for (const { test, negated, span } of box.literals) builder.add(test, negated, span);
  return builder.conditions();
}

class Builder {
  readonly #context: ConditionContext;
  readonly #protocol: number | undefined;
  #on = '';
  #from = 'any';
  #to = 'any';
  #fromPort = '';
  #toPort = '';
  #protocols: readonly number[] = [];
  #flagsOn = '';
  #flagsOff = '';
  #types: { readonly word: string; readonly values: readonly number[] } | undefined;
  #codes: readonly number[] | undefined;
  #tos: readonly number[] | undefined;
  #family: 4 | 6 | undefined;
  #empty = false;

  constructor(box: Box, context: ConditionContext) {
    this.#context = context;
    this.#family = box.family;
    const [only] = box.protocols ?? [];
    this.#protocol = box.protocols?.length === 1 && only && only.first === only.last ? Number(only.first) : undefined;
  }

  add(test: Test, negated: boolean, span: IrSpan | undefined): void {
    if (test.kind === 'quantified') throw unsayable(test.quantifier, span);
    if (test.operand.kind === 'slice') throw unsayable('bit_slice', span);
    if (test.operand.kind !== 'field') throw unsayable(test.operand.kind === 'call' ? test.operand.name : '[]', span);
    const { name } = test.operand;
    switch (test.kind) {
      case 'flag':
        this.#flag(name, negated, span);
        break;
      case 'int':
        this.#int(name, test.set, negated, span);
        break;
      case 'ip':
        this.#address(name, test.set, negated, span);
        break;
      case 'list':
        this.#side(name, `${negated ? '! ' : ''}<${this.#context.tables.named(test.list, span)}>`, span);
        break;
      case 'bytes':
        if (name === 'ip.proto') this.#protocolSet(namedProtocols(test.values), negated, span);
        else this.#interface(name, test.values, negated, span);
        break;
      default:
        throw unsayable(test.kind === 'bits' ? `& on ${name}` : `${test.kind} on ${name}`, span);
    }
  }

  conditions(): readonly Condition[] {
    if (this.#empty) return [];
    const icmp = this.#types?.word === 'icmp6-type' ? 6 : this.#types ? 4 : undefined;
    const family = this.#family ?? icmp;
    if (this.#codes && !this.#types) throw unsayable('a code of ICMP without its type', undefined);
    const types = this.#types;
    const words: string[] = types
      ? types.values.flatMap((type) =>
          (this.#codes ?? [undefined]).map((code) => ` ${types.word} ${type}${code === undefined ? '' : ` code ${code}`}`),
        )
      : [''];
    const flags = this.#flagsOn + this.#flagsOff;
    const tos = this.#tos ?? [undefined];
    const canBeTcp = this.#protocols.length === 0 || this.#protocols.some((number) => number === IP_PROTOCOLS['tcp']);
    const protocols = this.#protocols.map((number) => protocolName(number));
    return words.flatMap((type) =>
      tos.map((value): Condition => {
        const parts = [
          family === undefined ? '' : family === 4 ? ' inet' : ' inet6',
          protocols.length === 0 ? '' : ` proto ${oneOf(protocols)}`,
          ` from ${this.#from}${this.#fromPort} to ${this.#to}${this.#toPort}`,
          flags === '' ? '' : ` flags ${this.#flagsOn}/${flags}`,
          type,
          value === undefined ? '' : ` tos ${value}`,
        ];
        return { on: this.#on, rest: parts.join(''), tcp: this.#protocol === IP_PROTOCOLS['tcp'], flags: flags !== '', canBeTcp };
      }),
    );
  }

  #flag(name: string, negated: boolean, span: IrSpan | undefined): void {
    const letter = FLAGS[name];
    if (letter !== undefined) {
      if (!negated) this.#flagsOn += letter;
      else if (this.#protocol === IP_PROTOCOLS['tcp']) this.#flagsOff += letter;
      else throw unsayable(`not ${name} where packets are of other protocols as well`, span);
      return;
    }
    // Packets of a state have passed before any rule: of all others it is known what they are not.
    if (this.#context.fresh && (name === 'ct.new' || name === 'ct.established')) {
      if ((name === 'ct.new') === negated) this.#empty = true;
      return;
    }
    throw unsayable(name, span);
  }

  #int(name: string, set: RangeSet, negated: boolean, span: IrSpan | undefined): void {
    const port = /^(tcp|udp)\.(src|dst)port$/.exec(name);
    if (port) {
      this.#port(port[2] === 'src', negated ? this.#complement(name, set, 0xffff, IP_PROTOCOLS[port[1] ?? ''], span) : set);
      return;
    }
    if (name === 'icmp.type' || name === 'icmpv6.type') {
      const protocol = IP_PROTOCOLS[name === 'icmp.type' ? 'icmp' : 'icmpv6'];
      const types = negated ? this.#complement(name, set, 255, protocol, span) : set;
      this.#types = { word: ICMP_ROWS[name], values: valuesOf(types, name, span) };
    } else if (name === 'icmp.code' || name === 'icmpv6.code') {
      const protocol = IP_PROTOCOLS[name === 'icmp.code' ? 'icmp' : 'icmpv6'];
      this.#codes = valuesOf(negated ? this.#complement(name, set, 255, protocol, span) : set, name, span);
    } else if (name === 'ip.proto.num') {
      this.#protocolSet(set, negated, span);
    } else if (name === 'ip.tos' && !negated) {
      this.#tos = valuesOf(set, name, span);
      if (this.#tos.includes(0)) throw unsayable('ip.tos 0', span);
    } else if (!(name === 'ip.ttl' && this.#context.builtin)) {
      throw unsayable(name, span);
    }
  }

  #port(source: boolean, set: RangeSet): void {
    const words = set.map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`));
    if (words.length === 0) this.#empty = true;
    const text = ` port ${oneOf(words)}`;
    if (source) this.#fromPort = text;
    else this.#toPort = text;
  }

  /** The other values of a field that every packet of the box has. */
  #complement(name: string, set: RangeSet, max: number, protocol: number | undefined, span: IrSpan | undefined): RangeSet {
    if (protocol !== this.#protocol) throw unsayable(`${name} other than a value where packets are of other protocols as well`, span);
    return complementSet(set, 0, max);
  }

  #protocolSet(set: RangeSet, negated: boolean, span: IrSpan | undefined): void {
    if (negated) throw unsayable('a protocol other than some', span);
    this.#protocols = valuesOf(set, 'ip.proto.num', span);
    if (this.#protocols.length === 0) this.#empty = true;
    if (this.#protocols.includes(0)) throw unsayable('protocol 0', span);
  }

  #address(name: string, set: IpSet, negated: boolean, span: IrSpan | undefined): void {
    const prefixes = ipSetPrefixes(set).map(printPrefix);
    const whole = prefixes.length === 1 && (prefixes[0] === '0.0.0.0/0' || prefixes[0] === '::/0');
    if (whole) {
      const family = prefixes[0] === '::/0' ? 6 : 4;
      this.#family = negated ? (family === 4 ? 6 : 4) : family;
      return;
    }
    if (isEmptyIpSet(set)) return;
    const [only] = prefixes;
    // `! address` alone would leave out the other family.
    if (!negated && prefixes.length === 1 && only !== undefined) this.#side(name, only, span);
    else this.#side(name, `${negated ? '! ' : ''}<${this.#context.tables.constant(prefixes)}>`, span);
  }

  #side(name: string, text: string, span: IrSpan | undefined): void {
    const source = name === 'ip.src';
    if (!source && name !== 'ip.dst') throw unsayable(name, span);
    if ((source ? this.#from : this.#to) !== 'any') throw unsayable(`two conditions on ${name}`, span);
    if (source) this.#from = text;
    else this.#to = text;
  }

  #interface(name: string, values: readonly Uint8Array[], negated: boolean, span: IrSpan | undefined): void {
    if (name !== (this.#context.hook === 'input' ? 'iif.name' : 'oif.name')) throw unsayable(name, span);
    const names = values.map((value) => new TextDecoder('latin1').decode(value));
    if (names.some((one) => !/^[a-z][\w.]*$/i.test(one) || one === 'any') || (negated && names.length > 1))
      throw unsayable(`such a name of ${name}`, span);
    if (this.#on !== '') throw unsayable(`two conditions on ${name}`, span);
    this.#on = ` on ${negated ? '! ' : ''}${oneOf(names)}`;
  }
}

function namedProtocols(values: readonly Uint8Array[]): RangeSet {
  return rangeSet(
    values.flatMap((value) => {
      const name = new TextDecoder('latin1').decode(value);
      const number = Object.hasOwn(IP_PROTOCOLS, name) ? IP_PROTOCOLS[name] : undefined;
      return number === undefined ? [] : [{ first: number, last: number }];
    }),
  );
}

const NAMED: readonly string[] = ['tcp', 'udp', 'icmp', 'gre', 'esp', 'ah'];

function protocolName(number: number): string {
  if (number === IP_PROTOCOLS['icmpv6']) return 'icmp6';
  return NAMED.find((name) => IP_PROTOCOLS[name] === number) ?? `${number}`;
}

function oneOf(words: readonly string[]): string {
  return words.length === 1 ? `${words[0]}` : `{ ${words.join(', ')} }`;
}

function valuesOf(set: RangeSet, name: string, span: IrSpan | undefined): number[] {
  const out: number[] = [];
  for (const { first, last } of set) {
    if (out.length + Number(last) - Number(first) >= MOST_VALUES) throw unsayable(`more than ${MOST_VALUES} values of ${name}`, span);
    for (let value = Number(first); value <= Number(last); value++) out.push(value);
  }
  return out;
}
