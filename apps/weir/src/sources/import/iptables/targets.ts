import type { RejectWith } from '../program.ts';
import { note, printable } from '../report.ts';
import { named } from './names.ts';
import type { OptionReader, Options } from './rule-draft.ts';
import { LineError } from './tokens.ts';
import { maskedOf, numberOf, UntranslatableError } from './values.ts';

const REJECT_TYPES: Readonly<Record<string, RejectWith>> = {
  'icmp-port-unreachable': 'port-unreachable',
  'port-unreach': 'port-unreachable',
  'icmp6-port-unreachable': 'port-unreachable',
  'icmp-admin-prohibited': 'admin-prohibited',
  'admin-prohib': 'admin-prohibited',
  'icmp6-adm-prohibited': 'admin-prohibited',
  'adm-prohibited': 'admin-prohibited',
  'tcp-reset': 'tcp-reset',
  'tcp-rst': 'tcp-reset',
};

const OTHER_REJECT_TYPES: Readonly<Record<string, RejectWith>> = {
  'icmp-net-unreachable': 'port-unreachable',
  'net-unreach': 'port-unreachable',
  'icmp-host-unreachable': 'port-unreachable',
  'host-unreach': 'port-unreachable',
  'icmp-proto-unreachable': 'port-unreachable',
  'proto-unreach': 'port-unreachable',
  'icmp-net-prohibited': 'admin-prohibited',
  'net-prohib': 'admin-prohibited',
  'icmp-host-prohibited': 'admin-prohibited',
  'host-prohib': 'admin-prohibited',
  'icmp6-no-route': 'port-unreachable',
  'no-route': 'port-unreachable',
  'icmp6-addr-unreachable': 'port-unreachable',
  'addr-unreach': 'port-unreachable',
  'icmp6-policy-fail': 'admin-prohibited',
  'icmp6-reject-route': 'admin-prohibited',
};

const rejectWith: OptionReader = (draft, words, option) => {
  const token = words.value(option);
  const exact = named(REJECT_TYPES, token.text);
  const other = exact ?? named(OTHER_REJECT_TYPES, token.text);
  if (other === undefined) throw new LineError(token.column, `not a kind of answer: "${token.text}"`);
  if (exact === undefined) note(draft.entry, `the answer is ${other}, not ${token.text}`, 'approximated');
  draft.action = { kind: 'reject', with: other };
};

/** Reads a value that goes into the description. */
const prefixOption: OptionReader = (draft, words, option) => {
  const text = printable(words.value(option).text).slice(0, 128);
  draft.comment ??= text.trim() === '' ? undefined : `log "${text.trim()}"`;
};

const setMark: OptionReader = (draft, words, option) => {
  const { value, mask } = maskedOf(words.value(option), 0xffffffff, 'a mark');
  if (mask !== 0xffffffff) throw new UntranslatableError('a policy sets the whole mark, not some of its bits');
  draft.action = { kind: 'mark', mark: value };
};

const changeMark: OptionReader = (_draft, words, option) => {
  numberOf(words.value(option), 0xffffffff, 'a mark');
  throw new UntranslatableError('a policy sets the whole mark, not some of its bits');
};

const valued: OptionReader = (_draft, words, option) => {
  words.value(option);
};
const bare: OptionReader = () => undefined;

/** The options of each target that is understood. */
export const TARGETS: Readonly<Record<string, Options>> = {
  ACCEPT: {},
  DROP: {},
  RETURN: {},
  REJECT: { '--reject-with': rejectWith },
  LOG: {
    '--log-prefix': prefixOption,
    '--log-level': valued,
    '--log-tcp-sequence': bare,
    '--log-tcp-options': bare,
    '--log-ip-options': bare,
    '--log-uid': bare,
    '--log-macdecode': bare,
  },
  NFLOG: {
    '--nflog-prefix': prefixOption,
    '--nflog-group': valued,
    '--nflog-range': valued,
    '--nflog-size': valued,
    '--nflog-threshold': valued,
  },
  MARK: { '--set-mark': setMark, '--set-xmark': setMark, '--and-mark': changeMark, '--or-mark': changeMark, '--xor-mark': changeMark },
};
