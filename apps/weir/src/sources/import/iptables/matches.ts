import { type Condition, maskedText, NEVER, PORT_PROTOCOLS, PROTOCOL, type Side, type State } from '../condition.ts';
import { intText } from '../policy-rule.ts';
import type { Limit } from '../program.ts';
import { complement, printRanges, type Range, type Ranges, range, union } from '../ranges.ts';
import { note } from '../report.ts';
import { DSCP_CLASSES, ICMP_NAMES, ICMPV6_NAMES, named, STATE_NAMES, secondsOf, TCP_FLAGS } from './names.ts';
import type { OptionReader, Options, RuleDraft } from './rule-draft.ts';
import { readAddressType, readSet } from './set-matches.ts';
import { LineError, type Token, type Words } from './tokens.ts';
import { addressRangeOf, maskedOf, numberOf, portListOf, portsOf, rangeOf, UntranslatableError } from './values.ts';

/** The test of an Int field; a negated one is of the other values, so that a packet without the field matches neither. */
function intTest(draft: RuleDraft, field: string, ranges: Ranges, negated: boolean, max: number): void {
  const wanted = negated ? complement(union(ranges), BigInt(max)) : union(ranges);
  draft.conditions.push(wanted.length === 0 ? NEVER : { kind: 'text', text: intText(field, wanted) });
}

function ports(draft: RuleDraft, side: Side, protocol: number, ranges: Ranges, negated: boolean): void {
  const wanted = negated ? complement(union(ranges), 65_535n) : union(ranges);
  draft.conditions.push({ kind: 'port', side, protocols: [protocol], ranges: wanted });
}

function portOption(side: Side, protocol: number): OptionReader {
  return (draft, words, option, negated) => {
    if (draft.protocol !== protocol) throw new LineError(option.column, `${option.text} needs -p ${PORT_PROTOCOLS.get(protocol)}`);
    ports(draft, side, protocol, [portsOf(words.value(option))], negated);
  };
}

function portOptions(protocol: number): Options {
  const source = portOption('source', protocol);
  const destination = portOption('destination', protocol);
  return { '--sport': source, '--source-port': source, '--dport': destination, '--destination-port': destination };
}

function flagMask(token: Token): number {
  return token.text.split(',').reduce((mask, name) => {
    const flag = named(TCP_FLAGS, name.toUpperCase());
    if (flag === undefined) throw new LineError(token.column, `not a TCP flag: "${name}"`);
    return mask | flag;
  }, 0);
}

/** `(flags & mask) == wanted`, false for packets whose flags are not there. */
export function flagCondition(mask: number, wanted: number, negated: boolean): Condition {
  const text = maskedText('tcp.flags', mask, wanted, 8, true);
  if (text === undefined) return negated ? { kind: 'text', text: 'tcp.flags >= 0' } : NEVER;
  if (!negated) return { kind: 'text', text };
  return text === 'tcp.flags >= 0' ? NEVER : { kind: 'text', text: `tcp.flags >= 0 and not (${text})` };
}

const tcpFlags: OptionReader = (draft, words, option, negated) => {
  const mask = flagMask(words.value(option));
  const wanted = flagMask(words.value(option));
  draft.conditions.push(flagCondition(mask, wanted, negated));
};

const tcp: Options = {
  ...portOptions(PROTOCOL.tcp),
  '--tcp-flags': tcpFlags,
  '--syn': (draft, _words, _option, negated) => {
    draft.conditions.push(flagCondition(0x17, 0x02, negated));
  },
  '--tcp-option': () => {
    throw new UntranslatableError('options of TCP are not seen');
  },
};

const sctp: Options = {
  ...portOptions(PROTOCOL.sctp),
  '--chunk-types': () => {
    throw new UntranslatableError('chunks of SCTP are not seen');
  },
};

function multiport(sides: readonly Side[]): OptionReader {
  return (draft, words, option, negated) => {
    const ranges = portListOf(words.value(option));
    const { protocol } = draft;
    const name = protocol === undefined ? undefined : PORT_PROTOCOLS.get(protocol);
    if (protocol === undefined || name === undefined) {
      if (protocol === 33 || protocol === 136) throw new UntranslatableError('the ports of DCCP and UDP-Lite are not seen');
      throw new LineError(option.column, `${option.text} needs -p tcp, udp or sctp`);
    }
    if (sides.length === 1) return ports(draft, sides[0] ?? 'source', protocol, ranges, negated);
    // Either port; negated neither.
    if (negated) for (const side of sides) ports(draft, side, protocol, ranges, true);
    else {
      const set = printRanges(ranges);
      draft.conditions.push({ kind: 'text', text: `(${name}.srcport in {${set}} or ${name}.dstport in {${set}})` });
    }
  };
}

function icmp(family: 4 | 6): OptionReader {
  return (draft, words, option, negated) => {
    const token = words.value(option);
    const field = family === 4 ? 'icmp' : 'icmpv6';
    const [type, code] = icmpOf(token, family);
    if (type === undefined) {
      if (negated) draft.conditions.push(NEVER);
      return;
    }
    if (code === undefined) return intTest(draft, `${field}.type`, [range(type)], negated, 255);
    if (!negated)
      draft.conditions.push({ kind: 'text', text: `${field}.type == ${type}` }, { kind: 'text', text: intText(`${field}.code`, [code]) });
    else
      draft.conditions.push(
        { kind: 'text', text: `${field}.code >= 0` },
        { kind: 'text', text: `not (${field}.type == ${type} and ${intText(`${field}.code`, [code])})` },
      );
  };
}

function icmpOf(token: Token, family: 4 | 6): readonly [number | undefined, Range?] {
  const names = family === 4 ? ICMP_NAMES : ICMPV6_NAMES;
  if (token.text === 'any' || (family === 4 && token.text === '255')) return [undefined];
  const known = named(names, token.text);
  if (known) return known[1] === undefined ? [known[0]] : [known[0], range(known[1])];
  const [type = '', code] = token.text.split('/', 2);
  if (/^[a-z]/i.test(type)) throw new LineError(token.column, `not an ICMP type: "${type}"`);
  const number = numberOf(token, 255, 'an ICMP type', type);
  return code === undefined ? [number] : [number, range(numberOf(token, 255, 'an ICMP code', code))];
}

const states: OptionReader = (draft, words, option, negated) => {
  const token = words.value(option);
  const wanted = token.text.split(',').map((name): State => {
    const state = named(STATE_NAMES, name.toUpperCase());
    if (state !== undefined) return state;
    if (name === 'SNAT' || name === 'DNAT') throw new UntranslatableError('whether an address was translated is not seen');
    throw new LineError(token.column, `not a connection state: "${name}"`);
  });
  const all = Object.values(STATE_NAMES);
  draft.conditions.push({ kind: 'state', states: negated ? all.filter((s) => !wanted.includes(s)) : wanted });
};

function unseen(what: string): OptionReader {
  return () => {
    throw new UntranslatableError(`${what} is not seen`);
  };
}

const conntrack: Options = {
  '--ctstate': states,
  '--ctproto': unseen('the protocol of the connection'),
  '--ctorigsrc': unseen("the connection's original source"),
  '--ctorigdst': unseen("the connection's original destination"),
  '--ctreplsrc': unseen("the connection's reply source"),
  '--ctrepldst': unseen("the connection's reply destination"),
  '--ctorigsrcport': unseen("the connection's original port"),
  '--ctorigdstport': unseen("the connection's original port"),
  '--ctreplsrcport': unseen("the connection's reply port"),
  '--ctrepldstport': unseen("the connection's reply port"),
  '--ctstatus': unseen('the status of the connection'),
  '--ctexpire': unseen('the time that the connection has left'),
  '--ctdir': unseen('the direction in the connection'),
};

const mark: OptionReader = (draft, words, option, negated) => {
  const { value, mask } = maskedOf(words.value(option), 0xffffffff, 'a mark');
  draft.conditions.push(...markConditions(value, mask, negated));
};

/** `(mark & mask) == value`. */
export function markConditions(value: number, mask: number, negated: boolean): readonly Condition[] {
  const text = maskedText('meta.mark', mask, value, 32, false);
  if (text === undefined) return negated ? [] : [NEVER];
  if (text === '') return negated ? [NEVER] : [];
  return [{ kind: 'text', text: negated ? `not (${text})` : text, mark: true }];
}

/** `10/second`, `1000/min`; with hashlimit also octets: `512kb/s`. */
function rateOf(token: Token): { readonly unit: Limit['unit']; readonly rate: number } {
  const bytes = /^(\d{1,12})(k|m)?b\/s$/.exec(token.text);
  if (bytes) return { unit: 'bytes', rate: Number(bytes[1]) * (bytes[2] === 'k' ? 1024 : bytes[2] === 'm' ? 1024 * 1024 : 1) };
  const packets = /^(\d{1,9})(?:\/([a-z]+))?$/i.exec(token.text);
  const seconds = packets ? secondsOf(packets[2] ?? '') : undefined;
  if (!packets || seconds === undefined || Number(packets[1]) === 0) throw new LineError(token.column, `not a rate: "${token.text}"`);
  return { unit: 'packets', rate: Number(packets[1]) / seconds };
}

function updateLimit(draft: RuleDraft, change: Partial<Limit>): void {
  draft.limit = { over: false, unit: 'packets', rate: 3 / 3600, burst: 5, per: 'rule', ...draft.limit, ...change };
}

const burst: OptionReader = (draft, words, option) => {
  const token = words.value(option);
  const bytes = /^(\d{1,9})(k|m)?b$/.exec(token.text);
  updateLimit(draft, {
    burst: bytes
      ? Number(bytes[1]) * (bytes[2] === 'k' ? 1024 : bytes[2] === 'm' ? 1024 * 1024 : 1)
      : numberOf(token, 4_294_967_295, 'a burst'),
  });
};

const limit: Options = {
  '--limit': (draft, words, option, negated) => {
    if (negated) throw new LineError(option.column, '--limit cannot be negated');
    updateLimit(draft, rateOf(words.value(option)));
  },
  '--limit-burst': burst,
};

function hashlimitRate(over: boolean): OptionReader {
  return (draft, words, option, negated) => updateLimit(draft, { over: over !== negated, ...rateOf(words.value(option)) });
}

/** How much of an address counts. The rule is of one family: what is said of the other means nothing. */
function hashlimitMask(side: 'source' | 'destination'): OptionReader {
  return (draft, words, option) => {
    const bits = draft.family === 4 ? 32 : 128;
    const length = numberOf(words.value(option), bits, 'a prefix length');
    if (length === bits) return;
    if (draft.limit?.per !== side || length === 0) note(draft.entry, 'the rate is counted per address, not per network', 'approximated');
    else updateLimit(draft, { prefix: draft.family === 4 ? { ip4: length, ip6: 2 * length } : { ip4: 32, ip6: length } });
  };
}

const ignored: OptionReader = (_draft, words, option) => {
  words.value(option);
};

const hashlimit: Options = {
  '--hashlimit': hashlimitRate(false),
  '--hashlimit-upto': hashlimitRate(false),
  '--hashlimit-above': hashlimitRate(true),
  '--hashlimit-burst': burst,
  '--hashlimit-mode': (draft, words, option) => {
    const keys = words
      .value(option)
      .text.split(',')
      .filter((k) => k !== '');
    const per = keys.includes('srcip') ? 'source' : keys.includes('dstip') ? 'destination' : 'rule';
    updateLimit(draft, { per });
    const exact = keys.length === 0 || (keys.length === 1 && per !== 'rule');
    if (!exact)
      note(
        draft.entry,
        `the rate is counted ${per === 'rule' ? 'for the rule' : `per ${per} address`}, not per ${keys.join(' and ')}`,
        'approximated',
      );
  },
  '--hashlimit-srcmask': hashlimitMask('source'),
  '--hashlimit-dstmask': hashlimitMask('destination'),
  '--hashlimit-name': ignored,
  '--hashlimit-htable-size': ignored,
  '--hashlimit-htable-max': ignored,
  '--hashlimit-htable-expire': ignored,
  '--hashlimit-htable-gcinterval': ignored,
  '--hashlimit-rate-match': (draft) => note(draft.entry, '--hashlimit-rate-match is left out', 'approximated'),
  '--hashlimit-rate-interval': ignored,
};

const owner: Options = {
  '--uid-owner': (draft, words, option, negated) => {
    const token = words.value(option);
    if (/^[a-z_]/i.test(token.text)) throw new UntranslatableError(`write the number of user ${token.text}`);
    const text = intText('process.uid', [rangeOf(token, 0xffffffff, 'a user', '-')]);
    draft.conditions.push({ kind: 'text', text: negated ? `not ${text}` : text, user: true });
  },
  '--gid-owner': unseen('the group of the socket'),
  '--socket-exists': unseen('whether there is a socket'),
  '--suppl-groups': unseen('the group of the socket'),
};

function compare(field: string, max: number): Options {
  const name = field === 'ip.ttl' ? 'a TTL' : 'a number';
  const reader = (make: (n: number) => Range | undefined): OptionReader => {
    return (draft, words, option, negated) => {
      const wanted = make(numberOf(words.value(option), max, name));
      intTest(draft, field, wanted ? [wanted] : [], negated, max);
    };
  };
  const less = reader((n) => (n > 0 ? range(0, n - 1) : undefined));
  const greater = reader((n) => (n < max ? range(n + 1, max) : undefined));
  const equal = reader((n) => range(n));
  return {
    '--ttl-eq': equal,
    '--ttl': equal,
    '--ttl-lt': less,
    '--ttl-gt': greater,
    '--hl-eq': equal,
    '--hl-lt': less,
    '--hl-gt': greater,
  };
}

const dscp: Options = {
  '--dscp': (draft, words, option, negated) =>
    intTest(draft, 'ip.dscp', [range(numberOf(words.value(option), 63, 'a DSCP value'))], negated, 63),
  '--dscp-class': (draft, words, option, negated) => {
    const token = words.value(option);
    const value = named(DSCP_CLASSES, token.text.toLowerCase());
    if (value === undefined) throw new LineError(token.column, `not a DSCP class: "${token.text}"`);
    intTest(draft, 'ip.dscp', [range(value)], negated, 63);
  },
};

const tos: Options = {
  '--tos': (draft, words, option, negated) => {
    const { value, mask } = maskedOf(words.value(option), 255, 'a TOS value');
    const text = maskedText('ip.tos', mask, value, 8, false);
    if (text === undefined || text === '') throw new UntranslatableError('the mask leaves no value');
    draft.conditions.push({ kind: 'text', text: negated ? `not (${text})` : text });
  },
};

const iprange: Options = {
  '--src-range': (draft, words, option, negated) => {
    draft.conditions.push({ kind: 'address', side: 'source', set: addressRangeOf(words.value(option), draft.family), negated });
  },
  '--dst-range': (draft, words, option, negated) => {
    draft.conditions.push({ kind: 'address', side: 'destination', set: addressRangeOf(words.value(option), draft.family), negated });
  },
};

const length: Options = {
  '--length': (draft, words, option, negated) =>
    intTest(draft, 'ip.len', [rangeOf(words.value(option), 65_535, 'a length')], negated, 131_071),
};

const comment: Options = {
  '--comment': (draft: RuleDraft, words: Words, option: Token) => {
    draft.comment = words.value(option).text.slice(0, 256);
  },
};

/** The options of each match extension that is understood. */
export const MATCHES: Readonly<Record<string, Options>> = {
  tcp,
  udp: portOptions(PROTOCOL.udp),
  sctp,
  multiport: {
    '--sports': multiport(['source']),
    '--source-ports': multiport(['source']),
    '--dports': multiport(['destination']),
    '--destination-ports': multiport(['destination']),
    '--ports': multiport(['source', 'destination']),
  },
  icmp: { '--icmp-type': icmp(4) },
  icmp6: { '--icmpv6-type': icmp(6) },
  icmpv6: { '--icmpv6-type': icmp(6) },
  'ipv6-icmp': { '--icmpv6-type': icmp(6) },
  conntrack,
  state: { '--state': states },
  mark: { '--mark': mark },
  limit,
  hashlimit,
  comment,
  addrtype: {
    '--src-type': readAddressType('source'),
    '--dst-type': readAddressType('destination'),
    '--limit-iface-in': () => undefined,
    '--limit-iface-out': () => undefined,
  },
  set: {
    '--match-set': readSet,
    '--return-nomatch': () => undefined,
    '--update-counters': () => undefined,
    '--update-subcounters': () => undefined,
  },
  length,
  ttl: compare('ip.ttl', 255),
  hl: compare('ip.ttl', 255),
  dscp,
  tos,
  iprange,
  owner,
};
