import { type Expr, type ListDefinition, lower } from '@weir/filter/ir';
import { IP, PACKET_SCHEME } from '@weir/filter/scheme';
import { parse, printProblem } from '@weir/filter/syntax';

/** Names of the sets that expressions may use. */
export type SetTypes = ReadonlySet<string>;

const named: ListDefinition = { kind: 'named', type: IP };

/** What was read before, by its text: an expression that stays from one configuration to the next is the same object. Named sets are in it by their names alone. */
const READ = new Map<string, Expr>();
const MOST_KEPT = 1024;
const LONGEST_KEPT = 4096;

/**
 * An expression that Weir wrote itself. It is as long as the configuration makes it (a guard may have many prefixes), so the bounds on what people write do not
 * hold. Throws an Error when it is none: a fault of Weir.
 */
export function readExpression(text: string, sets: SetTypes): Expr {
  const known = READ.get(text);
  if (known) return known;
  const parsed = parse(text, PACKET_SCHEME, { maxLength: Number.POSITIVE_INFINITY });
  if ('problem' in parsed) throw new Error(`an expression of Weir's own is wrong: ${printProblem(text, parsed.problem)}`);
  const lists = new Map([...sets].map((name): [string, ListDefinition] => [name, named]));
  const { expr, problems } = lower(parsed.tree, PACKET_SCHEME, { lists, maxCost: Number.POSITIVE_INFINITY });
  if (!expr) throw new Error(`an expression of Weir's own is wrong: ${problems[0]?.message ?? ''}: ${text}`);
  if (READ.size >= MOST_KEPT) READ.clear();
  if (text.length <= LONGEST_KEPT) READ.set(text, expr);
  return expr;
}
