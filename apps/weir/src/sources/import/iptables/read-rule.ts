import type { Side } from '../condition.ts';
import { PROTOCOL } from '../condition.ts';
import type { Clause, ClauseAction } from '../program.ts';
import { note } from '../report.ts';
import { MATCHES } from './matches.ts';
import { UNSUPPORTED_MATCHES, UNSUPPORTED_TARGETS } from './names.ts';
import type { OptionReader, Options, RuleDraft } from './rule-draft.ts';
import { TARGETS } from './targets.ts';
import { LineError, type Token, type Words } from './tokens.ts';
import { addressesOf, interfaceOf, protocolOf, UntranslatableError } from './values.ts';

/** Extensions in force on a line, the last one first: options belong to the last that knows them. */
interface Extensions {
  /** Names of matches that are not understood: their options are passed over. */
  unknown: boolean;
  readonly matches: string[];
  target: string | undefined;
}

/**
 * Reads the rest of `-A CHAIN ...` into a clause. What a policy cannot say is noted in the draft's entry and gives undefined; LineError for what iptables-restore would refuse.
 * `chains` are the names of the table.
 */
export function readRule(draft: RuleDraft, words: Words, chains: ReadonlySet<string>): Clause | undefined {
  const extensions: Extensions = { unknown: false, matches: [], target: undefined };
  for (let token = words.next(); token; token = words.next()) {
    const negated = token.text === '!' && !token.quoted;
    const option = negated ? words.next() : token;
    if (!option) throw new LineError(token.column, 'nothing follows !');
    try {
      readOption(draft, words, option, negated, extensions, chains);
    } catch (error) {
      if (!(error instanceof UntranslatableError)) throw error;
      note(draft.entry, error.message, 'unsupported');
      passOver(words);
    }
  }
  if (draft.entry.status === 'unsupported') return undefined;
  if (!draft.action) {
    note(draft.entry, 'only counts; Weir counts each rule');
    return undefined;
  }
  const { entry, conditions, limit, action, comment } = draft;
  return { entry, conditions, limit, action, comment };
}

function readOption(
  draft: RuleDraft,
  words: Words,
  option: Token,
  negated: boolean,
  extensions: Extensions,
  chains: ReadonlySet<string>,
): void {
  const basic = option.quoted || !Object.hasOwn(BASIC, option.text) ? undefined : BASIC[option.text];
  const known = basic ? undefined : findOption(draft, option, extensions);
  if (basic) basic(draft, words, option, negated, extensions, chains);
  else if (known) known(draft, words, option, negated);
  else if (extensions.unknown && option.text.startsWith('-')) passOver(words);
  else if (!option.text.startsWith('-')) throw new LineError(option.column, `an option is needed here, not "${option.text}"`);
  else throw new LineError(option.column, `unknown option ${option.text}`);
}

/** Skips the values of an option. */
function passOver(words: Words): void {
  while (words.optional());
}

function findOption(draft: RuleDraft, option: Token, extensions: Extensions): OptionReader | undefined {
  const target = extensions.target === undefined ? undefined : optionOf(TARGETS, extensions.target, option);
  if (target) return target;
  for (let i = extensions.matches.length - 1; i >= 0; i--) {
    const found = optionOf(MATCHES, extensions.matches[i] ?? '', option);
    if (found) return found;
  }
  // -p loads the match of its name.
  const implied = draft.protocol === undefined ? undefined : IMPLIED[draft.protocol];
  return implied === undefined || extensions.unknown ? undefined : optionOf(MATCHES, implied, option);
}

function optionOf(all: Readonly<Record<string, Options>>, name: string, option: Token): OptionReader | undefined {
  const options = Object.hasOwn(all, name) ? all[name] : undefined;
  return options && Object.hasOwn(options, option.text) ? options[option.text] : undefined;
}

const IMPLIED: Readonly<Record<number, string>> = {
  [PROTOCOL.tcp]: 'tcp',
  [PROTOCOL.udp]: 'udp',
  [PROTOCOL.sctp]: 'sctp',
  [PROTOCOL.icmp]: 'icmp',
  [PROTOCOL.icmpv6]: 'icmp6',
};

type BasicReader = (
  draft: RuleDraft,
  words: Words,
  option: Token,
  negated: boolean,
  extensions: Extensions,
  chains: ReadonlySet<string>,
) => void;

function address(side: Side): BasicReader {
  return (draft, words, option, negated) => {
    const set = addressesOf(words.value(option), draft.family);
    draft.conditions.push({ kind: 'address', side, set, negated });
  };
}

function networkInterface(way: 'in' | 'out'): BasicReader {
  return (draft, words, option, negated) => {
    const token = words.value(option);
    if (way === 'in' && draft.hook === 'output') throw new LineError(option.column, 'the output chain has no incoming interface');
    if (way === 'out' && (draft.hook === 'input' || draft.hook === 'prerouting'))
      throw new LineError(option.column, 'this chain has no outgoing interface');
    draft.conditions.push({ kind: 'interface', way, names: [interfaceOf(token)], negated });
  };
}

const protocol: BasicReader = (draft, words, option, negated) => {
  const token = words.value(option);
  const number = protocolOf(token);
  if (number === 0) {
    if (negated) throw new LineError(token.column, 'no packet has no protocol');
    return;
  }
  draft.conditions.push({ kind: 'protocol', numbers: [number], negated });
  if (!negated) draft.protocol = number;
};

const match: BasicReader = (draft, words, option, _negated, extensions) => {
  const token = words.value(option);
  const name = token.text;
  if (Object.hasOwn(MATCHES, name)) {
    extensions.matches.push(name);
    extensions.unknown = false;
    return;
  }
  const reason = Object.hasOwn(UNSUPPORTED_MATCHES, name) ? UNSUPPORTED_MATCHES[name] : undefined;
  extensions.unknown = true;
  note(draft.entry, `-m ${name}: ${reason ?? 'this match is not known'}`, 'unsupported');
};

function verdict(kind: 'jump' | 'goto'): BasicReader {
  return (draft, words, option, negated, extensions, chains) => {
    const token = words.value(option);
    const name = token.text;
    if (negated) throw new LineError(option.column, `${option.text} cannot be negated`);
    if (draft.action || extensions.target !== undefined) throw new LineError(option.column, 'a rule has one target');
    extensions.target = name;
    extensions.unknown = false;
    if (chains.has(name)) {
      draft.action = { kind, chain: name };
      return;
    }
    const simple = kind === 'jump' && Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined;
    if (simple) {
      draft.action = simple;
      return;
    }
    const reason = Object.hasOwn(UNSUPPORTED_TARGETS, name) ? UNSUPPORTED_TARGETS[name] : undefined;
    if (kind === 'goto' || reason === undefined) {
      if (Object.hasOwn(TARGETS, name)) return;
      throw new LineError(token.column, `there is no chain or target ${name}`);
    }
    extensions.unknown = true;
    note(draft.entry, `-j ${name}: ${reason}`, 'unsupported');
  };
}

const SIMPLE: Readonly<Record<string, ClauseAction>> = {
  ACCEPT: { kind: 'accept' },
  DROP: { kind: 'drop' },
  RETURN: { kind: 'return' },
  REJECT: { kind: 'reject', with: 'port-unreachable' },
  LOG: { kind: 'log' },
  NFLOG: { kind: 'log' },
};

const counters: BasicReader = (_draft, words, option) => {
  const packets = words.value(option);
  const octets = words.value(option);
  for (const token of [packets, octets]) if (!/^\d{1,20}$/.test(token.text)) throw new LineError(token.column, 'a counter is a number');
};

const fragment: BasicReader = (draft, _words, option, negated) => {
  if (draft.family === 6) throw new LineError(option.column, 'ip6tables has no -f');
  draft.conditions.push({ kind: 'text', text: negated ? 'ip.frag_offset == 0' : 'ip.frag_offset > 0' });
};

const BASIC: Readonly<Record<string, BasicReader>> = {
  '-s': address('source'),
  '--source': address('source'),
  '--src': address('source'),
  '-d': address('destination'),
  '--destination': address('destination'),
  '--dst': address('destination'),
  '-i': networkInterface('in'),
  '--in-interface': networkInterface('in'),
  '-o': networkInterface('out'),
  '--out-interface': networkInterface('out'),
  '-p': protocol,
  '--protocol': protocol,
  '--proto': protocol,
  '-m': match,
  '--match': match,
  '-j': verdict('jump'),
  '--jump': verdict('jump'),
  '-g': verdict('goto'),
  '--goto': verdict('goto'),
  '-c': counters,
  '--set-counters': counters,
  '-f': fragment,
  '--fragment': fragment,
};
