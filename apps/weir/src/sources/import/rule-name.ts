import type { Family } from '@weir/wire/inet';
import type { MatchFields } from './policy-rule.ts';
import type { ImportHook } from './program.ts';

const MAX_NAME = 80;

/** A name that a person can read: `input-allow-tcp-22-from-192.0.2.0-24`. Several rules may have the same. `other`: it lets a family through that the input does not judge. */
export function ruleName(
  hook: ImportHook,
  fields: MatchFields,
  action: Readonly<Record<string, string | number>>,
  policy: boolean,
  other: Family | undefined,
): string {
  if (policy)
    return `${hook}-policy-${action['action']}${fields.source_cidrs?.[0] === '::/0' ? '-ipv6' : fields.source_cidrs ? '-ipv4' : ''}`;
  if (other !== undefined) return `${hook}-ipv${other}-not-judged`;
  const some = (prefix: string, values: readonly string[] | undefined): string[] =>
    values === undefined
      ? []
      : [
          ...(prefix === '' ? [] : [prefix]),
          ...values.slice(0, 2).map((v) => (v === '0.0.0.0/0' ? 'ipv4' : v === '::/0' ? 'ipv6' : v)),
          ...(values.length > 2 ? ['more'] : []),
        ];
  const words = [
    hook,
    `${action['action']}`.replace('_', '-'),
    ...some('', fields.protocol === undefined ? undefined : [fields.protocol]),
    ...some('', fields.destination_ports),
    ...some('from', fields.source_cidrs),
    ...some('to', fields.destination_cidrs),
    ...some('in', fields.in_interface),
    ...some('out', fields.out_interface),
    ...some('', fields.state),
    ...some('if', fields.expression === undefined ? undefined : [fields.expression.slice(0, 40)]),
  ];
  return words
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .slice(0, MAX_NAME)
    .replace(/^[-.]+|[-.]+$/g, '');
}
