import { type FlowRule, parseFlow } from '@weir/bgp/flowspec';
import { DEFAULT_FLOWSPEC, FLOW_ACTIONS, type FlowActionKind } from '../../model/flow.ts';
import { integer, name, prefixShape, word } from '../yaml/leaves.ts';
import { defaulted, leaf, list, optional, quote, required, type Shape, type Table, table } from '../yaml/shape.ts';
import { sessionLoss } from './leaves.ts';
import type { RawFlowAnnounce, RawFlowGuard, RawFlowRedirect, RawFlowRouting, RawFlowspec, RawMinLength } from './raw-flowspec.ts';
import { fromSetShape } from './schema-from-sets.ts';
import { churnShape, peerName } from './schema-parts.ts';

const MOST_TABLE = 0xffffffff;

/** A flow rule as BIRD writes it. */
function flowText(): Shape<FlowRule> {
  return leaf('flow rule', (written, _value, place, report) => {
    const result = parseFlow(written);
    if (result.ok) return result.rule;
    report('E017', place, `not a flow rule: ${quote(written)}`, `${result.problem.message}, at character ${result.problem.offset + 1}`);
    return undefined;
  });
}

const { guard: GUARD } = DEFAULT_FLOWSPEC;

const guard = table<RawFlowGuard>('a guard', {
  peers: required(
    list(peerName(), { alone: true, atLeastOne: true }),
    'The peers that it is for. A peer has one guard; of a peer without one nothing is enforced.',
  ),
  destinations: optional(list(prefixShape(), { atLeastOne: true }), 'The destination of a rule lies in one of these.', 'anywhere'),
  min_length: optional(
    table<RawMinLength>('min_length', {
      ipv4: defaulted(
        integer('ipv4', 0, 32),
        GUARD.minLength[4],
        String(GUARD.minLength[4]),
        'Bits of an IPv4 destination at least; 0 also takes rules without one.',
      ),
      ipv6: defaulted(integer('ipv6', 0, 128), GUARD.minLength[6], String(GUARD.minLength[6]), 'The same of IPv6.'),
    }),
    'How much of the network one rule may be about.',
  ),
  actions: defaulted(
    list(word<FlowActionKind>('an action', FLOW_ACTIONS), { alone: true, atLeastOne: true }),
    [],
    '[discard, rate]',
    'What rules may do: `discard`, `rate` (of octets or packets), `sample`, `mark` (the DSCP), `redirect`.',
  ),
  max_rules: defaulted(
    integer('max_rules', 1, 50_000),
    GUARD.maxRules,
    String(GUARD.maxRules),
    'Rules of one peer, of both families. When there are so many, those in force stay and what comes is refused.',
  ),
  churn: optional(
    churnShape(1_000_000, GUARD.churn, 'New rules'),
    'How fast one peer may add rules; what exceeds it waits. Changes of rules in force and withdrawals never do.',
  ),
});

const redirect = table<RawFlowRedirect>('a redirect', {
  target: required(
    name('a route target', /^(?:\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]+$/, '64512:80, 192.0.2.1:80 or [2001:db8::1]:80', 64),
    'The route target that rules name.',
  ),
  table: optional(
    integer('table', 1, MOST_TABLE),
    'The number of the routing table that routes their packets: a rule of the routing policy sends them there while a flow rule asks for it.',
    'packets are marked, and no rule is added',
  ),
});

const { routing: ROUTING } = DEFAULT_FLOWSPEC;

const routing = table<RawFlowRouting>('routing', {
  priority: defaulted(
    integer('priority', 1, 32_765),
    ROUTING.priority,
    String(ROUTING.priority),
    'Of the rules of the routing policy, as in `ip rule`: before the main table, behind the one of the own addresses.',
  ),
  first_mark: defaulted(
    integer('first_mark', 1, 0xffff_ff00),
    ROUTING.firstMark,
    `0x${ROUTING.firstMark.toString(16)}`,
    'Packets that are redirected to an address get this mark; those to the second address the next one, and so on.',
  ),
  first_table: defaulted(
    integer('first_table', 256, 0xffff_ff00),
    ROUTING.firstTable,
    String(ROUTING.firstTable),
    'The table with the route to the first address; the next one for the second, and so on. Nobody else may have routes there.',
  ),
  next_hops: defaulted(
    integer('next_hops', 1, 256),
    ROUTING.most,
    String(ROUTING.most),
    'Addresses that packets may be redirected to at once: so many marks and tables.',
  ),
});

const announce = table<RawFlowAnnounce>('announce', {
  peers: required(list(peerName(), { alone: true, atLeastOne: true }), 'The peers that may be told.'),
  destinations: optional(list(prefixShape(), { atLeastOne: true }), 'The destination of a rule lies in one of these.', 'anywhere'),
  max_rules: defaulted(integer('max_rules', 1, 10_000), 100, '100', 'Rules at most.'),
});

/** What becomes of flow rules. */
export const flowspecShape: Shape<Table<RawFlowspec>> = table<RawFlowspec>('flowspec', {
  at: defaulted(
    word('where flow rules are enforced', ['prerouting', 'xdp', 'tc']),
    DEFAULT_FLOWSPEC.at,
    DEFAULT_FLOWSPEC.at,
    '`prerouting`: nf_tables, in a chain of its own before fragments are put together and connections tracked. `xdp`, `tc`: the programs attached to the interfaces of `ebpf.xdp` or `ebpf.tc`.',
  ),
  guards: defaulted(list(guard), [], '[]', 'Which peers may have which rules enforced.'),
  protected: defaulted(
    list(prefixShape()),
    [],
    '[]',
    'No flow rule touches packets from or to these, nor from or to what `protected` names.',
  ),
  protected_flows: defaulted(
    list(flowText(), { alone: true }),
    [],
    '[]',
    'No flow rule touches these packets: `flow4 { dst 192.0.2.1/32; proto 6; dport 22; }`.',
  ),
  redirects: defaulted(list(redirect), [], '[]', 'Where packets go that a rule redirects to a route target.'),
  announce: optional(announce, 'Flow rules of our own, which `weir flow add` makes.', 'none are announced'),
  from_sets: defaulted(list(fromSetShape), [], '[]', 'Members of sets as flow rules, announced or in force here (docs/blackholes.md).'),
  first_mark: defaulted(
    integer('first_mark', 1, 0xffff_ff00),
    DEFAULT_FLOWSPEC.firstMark,
    `0x${DEFAULT_FLOWSPEC.firstMark.toString(16)}`,
    'Redirected packets get this mark; those of the second redirect the next one, and so on.',
  ),
  routing: optional(routing, 'Rules and tables of the routing policy by which redirected packets are routed.'),
  on_session_loss: optional(sessionLoss(), 'What the loss of a session does to its rules, as for sets.', 'hold 5m'),
  sample_rate: defaulted(
    integer('sample_rate', 1, 1_000_000),
    DEFAULT_FLOWSPEC.sampleRate,
    String(DEFAULT_FLOWSPEC.sampleRate),
    'Events a second, at most, of one rule that samples.',
  ),
});
