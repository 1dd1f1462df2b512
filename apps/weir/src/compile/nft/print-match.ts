import { type Family, printIp } from '@weir/wire/inet';
import { FIELDS, type FieldInfo, fieldInfo, impliesGuards } from './fields.ts';
import type { FieldRange, Match } from './image.ts';
import { asPrefix, maskAddress } from './match-expressions.ts';
import { PROTOCOL_NAMES } from './numbers.ts';

/** The conditions of one rule as nft reads them: what nft does not add by itself about family and protocol is written once. */
export class MatchPrinter {
  #family: Family | undefined;
  #protocol: number | undefined;

  print(match: Match): string {
    switch (match.kind) {
      case 'interface':
        return `${nameOf(match.direction)} ${match.not ? '!= ' : ''}"${match.name}"`;
      case 'interfaces':
        return `${nameOf(match.direction)} ${match.not ? '!= ' : ''}${choice(match.names.map((name) => `"${name}"`))}`;
      case 'family':
        return this.needFamily(match.family);
      case 'member':
        this.#family = match.family;
        return `${printAddress(match)} ${match.absent ? '!= ' : ''}@${match.set}`;
      case 'connection':
        if (!match.not) return `ct state ${match.states.join(',')}`;
        return match.states.length === 1 ? `ct state & ${match.states[0] ?? ''} == 0` : `ct state & (${match.states.join(' | ')}) == 0`;
      case 'bits':
        return this.#bits(fieldInfo(match.field), match.mask, match.not ?? false);
      case 'field':
        return this.#field(fieldInfo(match.field), match.ranges, match.not ?? false);
      case 'program':
        return 'xt match bpf';
    }
  }

  #field(info: FieldInfo, ranges: readonly FieldRange[], not: boolean): string {
    const [only] = ranges;
    if (info === FIELDS.protocol && ranges.length === 1 && only && only[0] === only[1] && !not) return this.needProtocol(Number(only[0]));
    const guards = this.#guards(info);
    return `${guards}${info.text} ${not ? '!= ' : ''}${choice(ranges.map((range) => printRange(info, range)))}`;
  }

  /** nft moves the bits of a field itself, but not the mask on it: what lies across bytes is written as the bytes. */
  #bits(info: FieldInfo, mask: number, not: boolean): string {
    const { load, shift, bits } = info;
    const whole = load.kind !== 'payload' || (shift === 0 && bits === load.length * 8);
    const guards = this.#guards(info, whole);
    const text =
      whole || load.kind !== 'payload' ? info.text : `@${load.base === 'network' ? 'nh' : 'th'},${load.offset * 8},${load.length * 8}`;
    return `${guards}${text} & 0x${(mask * 2 ** shift).toString(16)} ${not ? '==' : '!='} 0`;
  }

  #guards(info: FieldInfo, named = true): string {
    const implied = named && impliesGuards(info);
    const family = info.family === undefined ? '' : this.needFamily(info.family);
    const protocol = info.protocol === undefined ? '' : this.needProtocol(info.protocol);
    return implied
      ? ''
      : [family, protocol]
          .filter((text) => text !== '')
          .map((text) => `${text} `)
          .join('');
  }

  /** Empty when it is said already. */
  needFamily(family: Family): string {
    if (this.#family === family) return '';
    this.#family = family;
    return `meta nfproto ${family === 4 ? 'ipv4' : 'ipv6'}`;
  }

  needProtocol(protocol: number): string {
    if (this.#protocol === protocol) return '';
    this.#protocol = protocol;
    return `meta l4proto ${PROTOCOL_NAMES[protocol] ?? protocol}`;
  }
}

function nameOf(direction: 'in' | 'out'): string {
  return direction === 'in' ? 'iifname' : 'oifname';
}

/** An address of the packet, or its first bits. */
export function printAddress(address: {
  readonly family: Family;
  readonly side: 'source' | 'destination';
  readonly bits?: number;
}): string {
  const { family, side, bits } = address;
  const mask = bits === undefined ? '' : ` & ${printIp(maskAddress(family, bits))}`;
  return `${family === 4 ? 'ip' : 'ip6'} ${side === 'source' ? 'saddr' : 'daddr'}${mask}`;
}

/** A value or range as nft reads it for a field. */
export function printRange(info: FieldInfo, range: FieldRange): string {
  const [first, last] = range;
  if (typeof first === 'string') return first === last ? first : (asPrefix(range) ?? `${first}-${last}`);
  const text = (value: number): string =>
    info === FIELDS.protocol ? (PROTOCOL_NAMES[value] ?? String(value)) : info === FIELDS.mark ? `0x${value.toString(16)}` : String(value);
  return first === last ? text(first) : `${first}-${last}`;
}

function choice(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? '') : `{ ${values.join(', ')} }`;
}
