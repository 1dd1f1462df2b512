import { exprBuilder } from '../ir/build.ts';
import type { Expr, Operand, Test } from '../ir/expr.ts';
import { isOperand, testOperand } from '../ir/operand.ts';
import type { Scheme } from '../scheme/index.ts';
import type { AddressTable, TableKind } from './address-table.ts';
import { NO_LISTS, passes } from './evaluate.ts';

export type AddressTables = { readonly [K in TableKind]?: AddressTable | undefined };

/**
 * The expression with every question about the country or AS number of an address asked of the address itself: `ip.src.country == "SE"` is `ip.src in {...}`. An
 * address that the table does not have has none: the comparison is false of it, `!=` true. Fields whose table is not there are left as they are.
 */
export function applyTables(expr: Expr, tables: AddressTables, scheme: Scheme): Expr {
  const build = exprBuilder(scheme);
  const apply = (at: Expr): Expr => {
    switch (at.kind) {
      case 'constant':
        return at;
      case 'literal': {
        const test = testOfAddress(at.test, tables);
        return test ? build.test(test, at.negated, at.span) : at;
      }
      case 'and':
      case 'or':
        return build[at.kind](at.items.map(apply), at.span);
      case 'xor': {
        const parity = build.xor(at.items.map(apply), at.span);
        return at.negated ? build.not(parity) : parity;
      }
    }
  };
  return asks(expr) ? apply(expr) : expr;
}

const FIELD = /^(ip\.(?:src|dst))\.(asnum|country)$/;

/** Whether any test is about a country or an AS number. */
function asks(expr: Expr): boolean {
  if (expr.kind === 'constant') return false;
  if (expr.kind === 'literal') return FIELD.test(leafField(testOperand(expr.test)) ?? '');
  return expr.items.some(asks);
}

function testOfAddress(test: Test, tables: AddressTables): Test | undefined {
  const match = FIELD.exec(leafField(testOperand(test)) ?? '');
  const table = match?.[2] === 'asnum' || match?.[2] === 'country' ? tables[match[2]] : undefined;
  if (!match?.[1] || !table) return undefined;
  const set = table.select((value) => passes(test, { field: () => value, slice: () => undefined }, NO_LISTS));
  return { kind: 'ip', operand: { kind: 'field', name: match[1] }, set };
}

/** The field that an operand, or the first argument of its calls, is. */
function leafField(operand: Operand): string | undefined {
  if (operand.kind === 'field') return operand.name;
  if (operand.kind === 'index') return leafField(operand.of);
  const [first] = operand.kind === 'call' ? operand.args : [];
  return first && isOperand(first) ? leafField(first) : undefined;
}
