import { type Expr, type Operand, packetExpr as x } from '@weir/filter/ir';
import { PACKET_SCHEME } from '@weir/filter/scheme';
import type { HookRules } from '../../../model/rule.ts';
import type { Match, RuleImage } from '../image.ts';

/** Headers behind the IP header, and slices of them, which a fragment that is not the first does not have. */
const WHOLE_HEADERS: ReadonlySet<string> = new Set(['tcp', 'udp', 'icmp']);

/**
 * What the rules of a hook say of fragments that are not the first, where those have not been put together: tests of what is in a transport header do not hold. nf_tables would read a port
 * where their data are.
 */
export function rulesOfLaterFragments(hook: HookRules): HookRules {
  const targets = new Set(hook.rules.map(({ action }) => (action.kind === 'skip' ? action.to : undefined)));
  const rules = hook.rules.flatMap((rule) => {
    const expression = withoutTransport(rule.expression);
    const never = expression.kind === 'constant' && !expression.value;
    return never && rule.stage !== 'default' && !targets.has(rule.ref) ? [] : [{ ...rule, expression }];
  });
  return { ...hook, rules };
}

/** Whether any rule asks for what is in a transport header. */
export function asksTransport(hook: HookRules): boolean {
  return hook.rules.some(({ expression }) => withoutTransport(expression) !== expression);
}

const FIRST6: Match = { kind: 'field', field: 'fragmentOffset6', ranges: [[0, 0]] };

/**
 * Leads fragments that are not the first to a chain of their own, which ends their judgement. Of an IPv6 packet with several fragment headers nf_tables only reads the first: where another one says so, the kernel
 * takes the IP header for the transport header. What looks like that goes there too, and `fromLaterFragments` sends back what is none.
 */
export function toLaterFragments(chain: string): readonly RuleImage[] {
  const version: Match = { kind: 'field', field: { base: 'transport', start: 0, bits: 32 }, ranges: [[0x6000_0000, 0x6fff_ffff]] };
  return [
    ...(['fragmentOffset4', 'fragmentOffset6'] as const).map((field) =>
      ledTo([{ kind: 'field', field, ranges: [[1, 0x1fff]] }], 'goto', chain),
    ),
    ledTo([FIRST6, version], 'jump', chain),
  ];
}

const ODD = { kind: 'field', field: { base: 'transport', start: 8, bits: 16 }, ranges: [[0, 0]] } as const;

const NO_LATER: readonly RuleImage[] = [ODD, { ...ODD, not: true }].map((match) => ({
  name: 'no later fragment',
  matches: [FIRST6, match],
  count: false,
  verdict: { kind: 'return' },
}));

/** What that chain begins with. The kernel gives no two octets of a later fragment that begin at an odd place of its transport header. */
export function fromLaterFragments(): readonly RuleImage[] {
  return NO_LATER;
}

function ledTo(matches: readonly Match[], kind: 'goto' | 'jump', chain: string): RuleImage {
  return { name: 'later fragments', matches, count: false, verdict: { kind, chain } };
}

/** The same object where there is no such test. */
export function withoutTransport(expression: Expr): Expr {
  switch (expression.kind) {
    case 'constant':
      return expression;
    case 'literal': {
      const { test, negated } = expression;
      const asks = test.kind !== 'quantified' && inTransport(test.operand);
      return asks ? x.constant(negated) : expression;
    }
    case 'and':
    case 'or':
    case 'xor': {
      const items = expression.items.map(withoutTransport);
      if (items.every((item, i) => item === expression.items[i])) return expression;
      if (expression.kind !== 'xor') return x[expression.kind](items);
      return expression.negated ? x.not(x.xor(items)) : x.xor(items);
    }
  }
}

function inTransport(operand: Operand): boolean {
  switch (operand.kind) {
    case 'field':
      return WHOLE_HEADERS.has(operand.name) || PACKET_SCHEME.fields.get(operand.name)?.protocol !== undefined;
    case 'slice':
      return operand.protocol !== 'ip' && operand.protocol !== 'ip6';
    case 'index':
      return inTransport(operand.of);
    case 'call':
      return operand.args.some((arg) => arg.kind !== 'int' && arg.kind !== 'bytes' && arg.kind !== 'word' && inTransport(arg));
  }
}
