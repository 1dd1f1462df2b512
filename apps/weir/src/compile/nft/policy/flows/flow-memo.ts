import type { Rule } from '../../../../model/rule.ts';
import { GroupMemo, type Packets } from './groups.ts';
import { makeUnit, type Unit, type UnitContext } from './unit.ts';

/** What flow rules came to last. Rules that are the same objects are not compiled again. */
export class FlowMemo {
  #conditions = '';
  #units = new WeakMap<Rule, Unit>();
  #groups = { whole: new GroupMemo(), later: new GroupMemo() };

  /** What is known holds only under the same conditions. */
  begin(conditions: string): void {
    if (conditions === this.#conditions) return;
    this.#conditions = conditions;
    this.#units = new WeakMap();
    this.#groups = { whole: new GroupMemo(), later: new GroupMemo() };
  }

  groups(packets: Packets): GroupMemo {
    return this.#groups[packets];
  }

  unit(rules: readonly Rule[], context: UnitContext): Unit {
    const [first] = rules;
    const known = first && this.#units.get(first);
    if (known && known.rules.length === rules.length && rules.every((rule, i) => rule === known.rules[i])) return known;
    const unit = makeUnit(rules, context);
    if (first) this.#units.set(first, unit);
    return unit;
  }
}
