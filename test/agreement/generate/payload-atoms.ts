import type { Random } from '../../e2e/random.ts';
import { type AtomContext, intAtom, type Part } from './atoms.ts';
import type { Node } from './expressions.ts';

/** Fields of octets: of the packet, and those that have few values. */
const RANGES = ['ip', 'ip6', 'tcp', 'udp', 'icmp', 'tcp.payload', 'udp.payload', 'udp.payload', 'tcp.payload'] as const;
const FEW = ['ip.proto', 'sip.method'] as const;
const CHECKS = ['sip', 'dns.query.valid', 'ntp.valid'] as const;
const LETTERS = ['a', 'b', 'B', '0', '.', '\r', '\n', '\r\n', ' ', '\x00', '\xff', 'rx', 'UDP', 'INVITE', 'tok'] as const;

/** A short text of few letters, which others are likely to have in them. */
function letters(random: Random, most = 5): string {
  let text = '';
  for (let left = random.below(most + 1); left > 0; left--) text += random.pick(LETTERS);
  return text;
}

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function quoted(text: string): string {
  return `"${Array.from(text, (char) => (/[ !#-[\]-~]/.test(char) ? char : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)).join('')}"`;
}

/** A text that payloads will begin with, end with or have in them. */
function needle(random: Random, { hints }: AtomContext): string {
  const text = random.below(12) === 0 ? letters(random, 60) : letters(random);
  const before = letters(random, random.pick([0, 2, 40, 90]));
  const after = letters(random, random.pick([0, 2, 40]));
  hints.addPayload(octetsOf(random.pick([text, `${before}${text}`, `${text}${after}`, `${before}${text}${after}`])));
  return text;
}

const PIECES = ['a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '\\r\\n', '\\x00', '\\xff', '(?i:b)', 'tok', '[\\s]', '(?s:.)', 'rx'] as const;
const PLACES = ['^', '$', '\\b', '\\B', '\\A', '\\z', '\\b{start}', '\\b{end-half}'] as const;
const TIMES = ['*', '+', '?', '{2}', '{1,3}', '{2,}', '*?'] as const;

function pattern(random: Random, depth = 2): string {
  let text = '';
  for (let left = 1 + random.below(4); left > 0; left--) {
    const kind = random.below(10);
    if (kind < 2 && depth > 0)
      text += `(?:${pattern(random, depth - 1)}|${pattern(random, depth - 1)})${random.below(2) === 0 ? random.pick(TIMES) : ''}`;
    else if (kind === 2) text += random.pick(PLACES);
    else text += random.pick(PIECES) + (random.below(3) === 0 ? random.pick(TIMES) : '');
  }
  return depth === 2 ? random.pick(['', '', '', '(?m)', '(?i)', '(?mR)', '(?s)']) + text : text;
}

function operand(random: Random, field: string): string {
  const kind = random.below(8);
  return kind === 0
    ? `lower(${field})`
    : kind === 1
      ? `upper(${field})`
      : kind === 2 && random.below(3) === 0
        ? `upper(lower(${field}))`
        : field;
}

/** A comparison of octets. */
function octetsAtom(random: Random, context: AtomContext, field: string): Node {
  const of = operand(random, field);
  const key = of.replace(/\(.*\)/, '()');
  const made = (operator: string, text: string): Node => ({ kind: 'atom', text, key: `${key} ${operator}` });
  const value = (): string => quoted(needle(random, context));
  switch (random.below(9)) {
    case 0:
      return made('==', `${of} ${random.pick(['==', '!='])} ${value()}`);
    case 1:
      return made('<', `${of} ${random.pick(['<', '<=', '>', '>='])} ${value()}`);
    case 2:
      return made('in {}', `${of} in {${Array.from({ length: 1 + random.below(4) }, value).join(' ')}}`);
    case 3:
      return made('matches', `${of} matches r##"${pattern(random)}"##`);
    case 4: {
      const parts = Array.from({ length: 1 + random.below(4) }, () => letters(random, 3).replace(/[*\\]/g, '') || 'a');
      const [open, close] = [random.pick(['', '*']), random.pick(['', '*'])];
      if (random.below(2) === 0) context.hints.addPayload(octetsOf(parts.join(letters(random, 2))));
      return made('wildcard', `${of} ${random.pick(['wildcard', 'strict wildcard'])} ${quoted(`${open}${parts.join('*')}${close}`)}`);
    }
    case 5:
      return made('starts_with', `starts_with(${of}, ${value()})`);
    case 6:
      return made('ends_with', `ends_with(${of}, ${value()})`);
    case 7:
      return lengthAtom(random, context, of);
    default:
      return made('contains', `${of} contains ${value()}`);
  }
}

function lengthAtom(random: Random, context: AtomContext, of: string): Node {
  return intAtom(random, context, { name: `len(${of})`, bits: 31, usual: [0, 1, 3, 8, 12, 20, 28, 31, 40, 64, 65, 128, 200] });
}

const METHODS = ['INVITE', 'ACK', 'OPTIONS', 'REGISTER', 'invite', 'FOO', 'SIP/2.0'] as const;

/** A start line that is one, or nearly. */
function sipText(random: Random): string {
  const method = random.pick(METHODS);
  const rest =
    method === 'SIP/2.0'
      ? `${random.pick(['200', '699', '099', '700', '20'])} ${letters(random, 4)}`
      : `${random.pick(['sip', 'SIPS', 'tel', 'http'])}:${letters(random, 3)}x@y ${random.pick(['SIP/2.0', 'sip/2.0', 'SIP/2.1'])}`;
  const before = random.pick(['', '', '', '\r\n', '\r\n\r\n', '\r', '\r\n'.repeat(random.below(260))]);
  const long = random.below(6) === 0 ? 'u'.repeat(random.pick([440, 460, 480, 500, 600])) : '';
  const text = `${before}${method} ${rest.replace('x@', `x${long}@`)}${random.pick(['\r\n', '\r\n', '\r\n', '\n', '\r', ''])}${letters(random, 3)}`;
  return random.below(6) === 0 ? text.slice(0, random.below(text.length + 1)) : text;
}

/** A query that is one, or nearly. */
function dnsOctets(random: Random): Uint8Array {
  const out: number[] = [
    random.below(256),
    1,
    random.pick([1, 1, 1, 0x81, 0x11]),
    random.pick([0, 0x20, 0x40]),
    0,
    random.pick([1, 1, 1, 0, 2]),
    0,
    random.pick([0, 0, 0, 1]),
  ];
  out.push(0, 0, 0, random.below(2));
  for (let labels = random.pick([0, 1, 2, 3, 3, 20, 70, 127, 130]); labels > 0; labels--) {
    const length = random.pick([1, 1, 2, 3, 63, 64, 192, 12]);
    out.push(length);
    for (let i = 0; i < Math.min(length, 70); i++) out.push(97);
  }
  out.push(random.pick([0, 0, 0, 1]), 0, 1, 0, 1);
  return Uint8Array.from(out).subarray(0, random.below(4) === 0 ? random.below(out.length + 1) : out.length);
}

function checkAtom(random: Random, { hints }: AtomContext, name: string): Node {
  for (let i = 0; i < 4; i++) {
    if (name === 'sip') hints.addPayload(octetsOf(sipText(random)));
    else if (name === 'dns.query.valid') hints.addPayload(dnsOctets(random));
    else {
      const packet = new Uint8Array(random.pick([47, 48, 49, 68]));
      packet[0] = random.below(256);
      hints.addPayload(packet);
    }
  }
  return { kind: 'atom', text: name, key: name };
}

function methodHints(random: Random, context: AtomContext): void {
  for (let i = 0; i < 3; i++) context.hints.addPayload(octetsOf(sipText(random)));
}

/** A prefix of an address in a named set, which nf_tables cannot look up. */
function cutAtom(random: Random, { addressLists }: AtomContext): Node {
  const field = random.pick(['ip.src', 'ip.dst']);
  const cut = `cidr(${field}, ${random.pick([0, 8, 24, 31, 32])}, ${random.pick([0, 32, 47, 64, 65, 127, 128])})`;
  const inner = random.below(4) === 0 ? `cidr(${cut}, ${random.below(33)}, ${random.below(129)})` : cut;
  return { kind: 'atom', text: `${inner} in $${random.pick(addressLists)}`, key: `cidr(${field}) in $` };
}

/** One comparison of octets, of the packet or of one of the names in `names`. */
export function payloadAtom(random: Random, context: AtomContext): Node {
  if (context.addressLists.length > 0 && random.below(12) === 0) return cutAtom(random, context);
  const kind = random.below(10);
  if (kind < 2) return checkAtom(random, context, random.pick(CHECKS));
  if (kind === 2) {
    methodHints(random, context);
    return octetsAtom(random, context, random.pick(FEW));
  }
  if (kind === 3) return octetsAtom(random, context, random.pick(context.names));
  return octetsAtom(random, context, random.pick(RANGES));
}

/** What can be asked of octets, each with what asks for it. */
export function payloadFocuses({ names }: AtomContext): readonly (readonly [string, Part])[] {
  const octets = [...new Set<string>([...RANGES, ...FEW, ...names])].map((name): [string, Part] => [
    `octets of ${name}`,
    (r, c) => {
      if (name === 'sip.method') methodHints(r, c);
      return octetsAtom(r, c, name);
    },
  ]);
  return [...octets, ...CHECKS.map((name): [string, Part] => [name, (r, c) => checkAtom(r, c, name)])];
}
