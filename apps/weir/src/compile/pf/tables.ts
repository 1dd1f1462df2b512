import type { IrSpan } from '@weir/filter/ir';
import { Unsayable } from '../refusal.ts';

/** pf keeps names of tables of 31 bytes. */
const MOST_NAME = 31;
const CONSTANT = /^weir_\d+$/;

/** The tables that rules name. */
export class Tables {
  readonly #constants = new Map<string, string>();
  readonly #named = new Set<string>();

  /** A table with these members, the same for the same members. */
  constant(prefixes: readonly string[]): string {
    const key = prefixes.join(', ');
    const name = this.#constants.get(key) ?? `weir_${this.#constants.size + 1}`;
    this.#constants.set(key, name);
    return name;
  }

  /** A named set, which others fill. */
  named(list: string, span: IrSpan | undefined): string {
    if (list.length > MOST_NAME || !/^[a-z_][\w.-]*$/i.test(list) || CONSTANT.test(list))
      throw new Unsayable('pf', `a table named ${list}`, span);
    this.#named.add(list);
    return list;
  }

  print(): string[] {
    return [
      ...[...this.#named].map((name) => `table <${name}> persist`),
      ...[...this.#constants].map(([members, name]) => `table <${name}> const { ${members} }`),
    ];
  }
}
