import type { Expr, Test } from '@weir/filter/ir';
import { testOperand } from '@weir/filter/ir';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { PolicyRule } from '../../model/policy.ts';
import { quote } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawScope } from './raw.ts';

const LOOPBACK = 'lo';

/** The interfaces that a tenant has. */
export class Interfaces {
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Whether a name, or every name of a wildcard, is among them. The loopback of the namespace always is. */
  has(name: string): boolean {
    return name === LOOPBACK || this.#names.some((own) => own === name || (own.endsWith('*') && name.startsWith(own.slice(0, -1))));
  }

  /** Interfaces of borders that the tenant does not have. */
  checkBorders(scope: RawScope, report: Report): void {
    for (const { value: border } of scope.firewall?.get.borders ?? [])
      for (const { value, place } of [...(border.get.from ?? []), ...(border.get.to ?? [])])
        if (value !== 'local' && !this.has(value)) report('E046', place, message(value), this.#hint());
  }

  /** The same of the rules of a policy: of their fields, and of the names in expressions that are whole. */
  checkRules(rules: readonly PolicyRule[]): readonly Diagnostic[] {
    return rules.flatMap(({ fields, expression, span }) => {
      const named = new Set([...fields.in_interface, ...fields.out_interface, ...interfacesIn(expression)]);
      return [...named]
        .filter((name) => !this.has(name))
        .map((name): Diagnostic => ({ severity: 'error', code: 'E046', message: message(name), span, hint: this.#hint() }));
    });
  }

  #hint(): string {
    return `its interfaces are ${this.#names.join(', ')}`;
  }
}

function message(name: string): string {
  return `${quote(name)} is not an interface of the tenant`;
}

/** The names of interfaces that an expression compares with. */
function interfacesIn(expr: Expr): string[] {
  switch (expr.kind) {
    case 'constant':
      return [];
    case 'literal':
      return namesOf(expr.test);
    default:
      return expr.items.flatMap(interfacesIn);
  }
}

function namesOf(test: Test): string[] {
  const operand = testOperand(test);
  if (operand.kind !== 'field' || (operand.name !== 'iif.name' && operand.name !== 'oif.name')) return [];
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (test.kind === 'bytes') return test.values.map(text);
  return test.kind === 'wildcard' && test.strict ? [text(test.pattern)] : [];
}
