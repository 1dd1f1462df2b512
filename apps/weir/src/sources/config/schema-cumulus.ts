import type { Hook } from '@weir/filter/scheme';
import { CUMULUS_HOOKS, DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import { absolutePath, boolean, duration, integer, name, text, word } from '../yaml/leaves.ts';
import { defaulted, list, type Shape, type Table, table } from '../yaml/shape.ts';
import type { RawCumulus } from './raw.ts';

const DIRECTORY = '/etc/cumulus/acl/policy.d';
const HOUR = 3_600_000;
/** More lines than these no switch has room for. */
const MOST_RULES = 65_536;

const interfacePattern = (): Shape<string> =>
  name('an interface', /^(?:[^\s/:*+!\p{Cc}]{1,15}|[^\s/:*+!\p{Cc}]{0,14}\*)$/u, 'an interface name, or the start of names and *', 15);

/** The ACL file of a switch. */
export const cumulusShape: Shape<Table<RawCumulus>> = table<RawCumulus>('cumulus', {
  directory: defaulted(absolutePath('a directory', 4096), DIRECTORY, DIRECTORY, 'The directory of the file, which is there already.'),
  number: defaulted(
    integer('number', 0, 99),
    DEFAULT_CUMULUS.number,
    String(DEFAULT_CUMULUS.number),
    'Place of the file among those of the directory, whose rules come one after the other: the first rule that matches decides, whosever it is.',
  ),
  name: defaulted(
    name('a name', /^[a-z0-9][a-z0-9_-]*$/, 'small letters, digits, _ and -', 32),
    DEFAULT_CUMULUS.name,
    DEFAULT_CUMULUS.name,
    'The file is called NUMBERweir-NAME.rules. Two daemons that share a directory have two names.',
  ),
  hooks: defaulted(
    list(word<Hook>('a hook that ACL files have a chain for', CUMULUS_HOOKS), { alone: true, atLeastOne: true }),
    [],
    `[${CUMULUS_HOOKS.join(', ')}]`,
    'Whose rules are written.',
  ),
  in_interfaces: defaulted(
    list(interfacePattern(), { alone: true, atLeastOne: true }),
    [],
    "['swp*']",
    'Interfaces that the rules are about, by which packets come in; `*` stands at the end of a name. The rest is let through by the file.',
  ),
  out_interfaces: defaulted(
    list(interfacePattern(), { alone: true, atLeastOne: true }),
    [],
    "['swp*']",
    'At the hook `output`: those by which packets go out.',
  ),
  state: defaulted(
    boolean(),
    false,
    'false',
    'Whether the target tracks connections, so that `-m conntrack` may be asked; the hardware of switches does not. Otherwise rules that ask for states are refused, and the entry `established` of `firewall.base` is left out of the file.',
  ),
  matches: defaulted(
    word('a kind of matches', ['iptables', 'hardware']),
    'iptables',
    'iptables',
    '`iptables`: all that iptables can say. `hardware`: only what the ACLs of Cumulus Linux take into the hardware; what needs more is refused.',
  ),
  max_rules: defaulted(
    integer('max_rules', 1, MOST_RULES),
    DEFAULT_CUMULUS.maxRules,
    String(DEFAULT_CUMULUS.maxRules),
    'Lines of one family at most. Members of sets are lines: where they are more than this the file stays as it was.',
  ),
  commit: defaulted(
    list(text('a word of a command', 4096), { alone: true }),
    [],
    'nothing is run',
    'What is run when the file has changed: a program with its arguments, without a shell (`[cl-acltool, -i]`). What fails is tried again.',
  ),
  commit_timeout: defaulted(duration('commit_timeout', 1000, HOUR), 60_000, '60s', 'How long it may take.'),
  batch: defaulted(duration('batch', 0, HOUR), 1000, '1s', 'Changes of sets within this time are written together.'),
});
