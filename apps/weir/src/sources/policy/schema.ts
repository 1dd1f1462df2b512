import type { Hook } from '@weir/filter/scheme';
import { boolean, integer, name, text, word } from '../yaml/leaves.ts';
import {
  defaulted,
  type Field,
  leaf,
  list,
  mapping,
  optional,
  required,
  type Shape,
  type ShapeDoc,
  type Table,
  table,
} from '../yaml/shape.ts';
import { HOOKS } from './check-hooks.ts';
import { checkListName, cidr, counted, listShape, orList, orNothing, ports, time } from './leaves.ts';
import {
  ACTIONS,
  PROTOCOLS,
  type RawDefaults,
  type RawPolicy,
  type RawRule,
  type RawTables,
  REJECTIONS,
  type ReadRule,
  STATES,
} from './raw.ts';
import { programShape } from './user-program.ts';

const U32 = 0xffffffff;
/** Rates beyond this are no limit to anything. */
const MAX_RATE = 1_000_000_000_000;

const ref = (): Shape<string> => name('a ref', /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/, 'letters, digits, _ . : / and -', 64);
const interfaceName = (): Shape<string> =>
  name('an interface', /^[^\s/:*\p{Cc}]{1,15}\*?$/u, 'an interface name, or the start of names and *', 15);

/** A text of any length and form: the filter language says what it may be. */
const expression: Shape<string> = leaf('expression', (written, value, place, report) => {
  if (typeof value === 'string') return value;
  report('E008', place, `expected an expression, found ${written}`);
  return undefined;
});

function defaultAt(hook: Hook): Field<'allow' | 'deny' | undefined> {
  return optional(word('a default action', ['allow', 'deny']), `Of the hook \`${hook}\`.`, 'default_action');
}

const rule = table<RawRule>('a rule', {
  name: required(text('a name', 128), 'What the rule is called in output and in nf_tables; no two rules have the same.'),
  ref: optional(ref(), 'A name that stays when `name` changes; histories and `skip_to` go by it.', 'the name'),
  hook: defaulted(
    orNothing(list(word('a hook', HOOKS), { alone: true, atLeastOne: true })),
    [],
    'input',
    'Where the rule judges. The hooks `xdp`, `tc` and `connect` are eBPF programs; `ebpf:` of the configuration says what they are attached to (docs/ebpf.md).',
  ),
  priority: defaulted(
    orNothing(integer('priority', 0, 65535)),
    1000,
    '1000',
    'Lower is judged first; rules of one priority keep the order of their files and lines.',
  ),
  source_cidrs: optional(
    list(orList(cidr()), { alone: true, atLeastOne: true }),
    'Sources, of either family. Host bits count as clear, with a warning.',
    'any source of both families',
  ),
  destination_cidrs: optional(list(orList(cidr()), { alone: true, atLeastOne: true }), 'Destinations.', 'any destination'),
  source_ports: optional(orNothing(list(orList(ports()), { alone: true })), 'Source ports, alone or as ranges.', 'any port'),
  destination_ports: optional(
    orNothing(list(orList(ports()), { alone: true })),
    'Destination ports. With the protocol `any` those of every protocol that has ports: tcp, udp and sctp.',
    'any port',
  ),
  protocol: defaulted(orNothing(word('a protocol', PROTOCOLS)), 'any', 'any', '`icmp` is ICMPv6 as well.'),
  in_interface: optional(
    orNothing(list(orList(interfaceName()), { alone: true, atLeastOne: true })),
    'Interfaces that the packet came in by; a trailing `*` is a wildcard.',
    'any interface',
  ),
  out_interface: optional(
    orNothing(list(orList(interfaceName()), { alone: true, atLeastOne: true })),
    'Interfaces that it goes out by.',
    'any interface',
  ),
  state: optional(
    orNothing(list(word('a state', STATES), { alone: true, atLeastOne: true })),
    'States of the connection, of which one must hold. Replies need no rule: established and related are accepted before the policy.',
    'any state',
  ),
  expression: optional(orNothing(expression), 'An expression of the filter language, which must hold as well.', 'none'),
  bpf: optional(
    programShape(),
    'A program of yours of the type socket filter, which must match as well: pinned at a path, or `{ object: FILE.o, program: NAME }`. At netfilter hooks (docs/bpf-match.md).',
    'none',
  ),
  action: required(
    word('an action', ACTIONS),
    '`allow`, `deny` (drop), `reject` (drop and say so) and `rate_limit` (allow up to the rate, deny above it) end the judgement; `log`, `mark` and `skip` do not.',
  ),
  rate_limit_pps: optional(orNothing(integer('rate_limit_pps', 0, U32)), 'Packets a second that `rate_limit` lets through.', 'none'),
  rate_limit_bps: optional(
    orNothing(integer('rate_limit_bps', 0, MAX_RATE)),
    'Bytes (not bits) a second that `rate_limit` lets through.',
    'none',
  ),
  rate_limit_burst: optional(
    orNothing(integer('rate_limit_burst', 1, U32)),
    'What may come at once, in packets or bytes as the rate.',
    'the rate of one second; of bytes at least 65536',
  ),
  rate_limit_per: optional(
    orNothing(counted()),
    'Whose traffic is counted together. With lengths it is that of a prefix: `source/24/48` takes 24 bits of IPv4 addresses and 48 of IPv6; `source/24` is the same. At connect there is no source: a `process` or `cgroup` can be counted there.',
    'source',
  ),
  reject_with: optional(orNothing(word('an answer', REJECTIONS)), 'What `reject` answers.', 'port-unreachable'),
  mark: optional(orNothing(integer('mark', 0, U32)), 'The mark that `mark` sets; rules that follow see it as `meta.mark`.', 'none'),
  skip_to: optional(
    orNothing(text('a ref', 128)),
    'The ref of a later rule of the same hook at which `skip` goes on.',
    'the default action is next',
  ),
  log: defaulted(orNothing(boolean()), false, 'false', 'Log each packet that the rule takes: an event of `weir observe`.'),
  log_sample: optional(
    orNothing(integer('log_sample', 1, U32)),
    'Of the packets that the rule would log, only one in so many is logged.',
    'all',
  ),
  log_rate: optional(
    orNothing(integer('log_rate', 1, U32)),
    'At most so many packets a second are logged, so that a flood drowns nothing.',
    'any number',
  ),
  description: optional(orNothing(textOfLines()), 'For people.', 'none'),
  until: optional(orNothing(time()), 'When the rule ends: `2026-12-01T00:00:00Z`, or a day, which begins at midnight UTC.', 'never'),
  enabled: defaulted(orNothing(boolean()), true, 'true', 'A rule that is not enabled is checked and shown, and not enforced.'),
  audit: defaulted(orNothing(boolean()), false, 'false', 'What the rule would drop is counted and logged, and goes on to the next rules.'),
});

const readRule: Shape<ReadRule> = {
  doc: rule.doc,
  read(node, label, report) {
    let sound = true;
    const read = rule.read(node, label, (code, place, message, hint) => {
      if (!code.startsWith('W')) sound = false;
      report(code, place, message, hint);
    });
    return read && { table: read, sound };
  },
};

/** A description may have line breaks. */
function textOfLines(): Shape<string> {
  return leaf('description', (written, _value, place, report) => {
    if (written.length <= 4096 && !/[^\P{Cc}\n\t]/u.test(written)) return written;
    report('E010', place, 'a description must have at most 4096 characters and no control characters');
    return undefined;
  });
}

const file: Shape<Table<RawPolicy>> = table<RawPolicy>('the policy', {
  default_action: optional(
    word('a default action', ['allow', 'deny']),
    'What happens, at every hook that a rule names, to packets that no rule decides. Files that state it must agree.',
    'deny',
  ),
  default_action_at: optional(
    table<RawDefaults>('default_action_at', {
      input: defaultAt('input'),
      forward: defaultAt('forward'),
      output: defaultAt('output'),
      prerouting: defaultAt('prerouting'),
      xdp: defaultAt('xdp'),
      tc: defaultAt('tc'),
      connect: defaultAt('connect'),
    }),
    'The same for single hooks: `{ xdp: allow }` where rules at `xdp` only drop, and others allow at `input`.',
    'default_action at every hook',
  ),
  generated_at: optional(orNothing(text('a time', 64)), 'Kept, and shown in the compiled form.', 'none'),
  mode: defaulted(
    word('a mode', ['enforce', 'audit']),
    'enforce',
    'enforce',
    '`audit`: nothing of this file drops; what it would drop is counted and logged.',
  ),
  include: defaulted(
    orNothing(list(text('a file name', 4096), { alone: true })),
    [],
    '[]',
    'Further policy files; a `*` in the last part of the name matches many. Relative to this file.',
  ),
  lists: defaulted(
    orNothing(mapping('lists', listShape(), checkListName)),
    [],
    '{}',
    'Lists by name, for every file of the policy: `$name` in fields and expressions stands for the members.',
  ),
  tables: optional(
    table<RawTables>('tables', {
      country: optional(text('a file name', 4096), 'Countries: `ip.src.country` and `ip.dst.country` are read from it.', 'none'),
      asnum: optional(text('a file name', 4096), 'AS numbers: `ip.src.asnum` and `ip.dst.asnum` are read from it.', 'none'),
    }),
    'Tables of addresses in the MaxMind DB format (`.mmdb`), for every file of the policy. Relative to this file.',
    'none',
  ),
  rules: defaulted(
    orNothing(list(readRule)),
    [],
    '[]',
    'The rules. All of the fields of a rule and its expression must hold for it to take a packet.',
  ),
});

export function policyShape(): Shape<Table<RawPolicy>> {
  return file;
}

/** The keys as documentation shows them. */
export function describePolicy(): ShapeDoc {
  return file.doc;
}
