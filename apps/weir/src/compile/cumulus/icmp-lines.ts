import type { IrSpan, Test } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { isField } from '../iptables/box.ts';
import { valuesOf } from '../iptables/literal.ts';
import { type Match, option } from '../iptables/match.ts';
import { withoutHeader } from './header-absent.ts';
import type { BoxContext, Literals } from './lines.ts';
import { unsayable } from './unsayable.ts';

/** Type and code of ICMP, which iptables asks for together, as one group of lines; what is not about them is returned. */
export function icmpLines(
  literals: Literals,
  context: BoxContext,
): { readonly groups: readonly (readonly Match[])[]; readonly rest: Literals } {
  const { family } = context;
  const name = family === 4 ? 'icmp' : 'icmpv6';
  const about = (field: string): Literals[number] | undefined => literals.find((one) => isField(one.test, field));
  const type = about(`${name}.type`);
  const code = about(`${name}.code`);
  const rest = literals.filter((one) => one !== type && one !== code);
  if (!type && !code) return { groups: [], rest };
  if (!type || (type.negated && code)) throw unsayable(`${name}.code without ${name}.type`, code?.span);
  const types = numbers(type.test, type.span);
  // To iptables it is any type.
  if (family === 4 && types.includes(255)) throw unsayable('ICMP type 255', type.span);
  const codes = code && numbers(code.test, code.span);
  const protocol = IP_PROTOCOLS[name];
  const word = (text: string, not = false): Match =>
    family === 4
      ? option('icmp', `${not ? '! ' : ''}--icmp-type ${text}`, protocol)
      : option('icmp6', `${not ? '! ' : ''}--icmpv6-type ${text}`, protocol);
  const all = (matches: readonly Match[]): Match => ({ protocol, options: matches.flatMap(({ options }) => options) });
  if (type.negated) {
    const line = all(types.map((one) => word(`${one}`, true)));
    return { groups: [withoutHeader(protocol ?? 0, `${name}.type`, [line], context, type.span)], rest };
  }
  const lines = types.flatMap((one) => {
    if (!codes || !code) return [word(`${one}`)];
    return code.negated ? [all([word(`${one}`), ...codes.map((c) => word(`${one}/${c}`, true))])] : codes.map((c) => word(`${one}/${c}`));
  });
  return { groups: [lines], rest };
}

function numbers(test: Test, span: IrSpan | undefined): readonly number[] {
  if (test.kind !== 'int') throw unsayable('& on types of ICMP', span);
  return valuesOf(test.set, span);
}
