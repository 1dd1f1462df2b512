import { type Expr, type ListDefinition, lower } from '@weir/filter/ir';
import { IP, PACKET_SCHEME } from '@weir/filter/scheme';
import { parse, printProblem } from '@weir/filter/syntax';

/** Names of the sets that expressions may use. */
export type SetTypes = ReadonlySet<string>;

const named: ListDefinition = { kind: 'named', type: IP };

/**
 * An expression that Weir wrote itself. It is as long as the configuration makes it (a guard may have many prefixes), so the bounds on what people write do not
 * hold. Throws an Error when it is none: a fault of Weir.
 */
export function readExpression(text: string, sets: SetTypes): Expr {
  const parsed = parse(text, PACKET_SCHEME, { maxLength: Number.POSITIVE_INFINITY });
  if ('problem' in parsed) throw new Error(`an expression of Weir's own is wrong: ${printProblem(text, parsed.problem)}`);
  const lists = new Map([...sets].map((name): [string, ListDefinition] => [name, named]));
  const { expr, problems } = lower(parsed.tree, PACKET_SCHEME, { lists, maxCost: Number.POSITIVE_INFINITY });
  if (!expr) throw new Error(`an expression of Weir's own is wrong: ${problems[0]?.message ?? ''}: ${text}`);
  return expr;
}
