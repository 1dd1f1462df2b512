import type { Rule } from '../../../../model/rule.ts';
import { GroupMemo, MOST_KEPT, type Packets } from './groups.ts';
import { makeUnit, type Unit, type UnitContext } from './unit.ts';

/** What flow rules came to last. Rules that are the same objects are not compiled again. */
export class FlowMemo {
  #conditions = '';
  #units = new Map<Rule, Unit>();
  #groups = { whole: new GroupMemo(), later: new GroupMemo() };

  /** What is known holds only under the same conditions. */
  begin(conditions: string): void {
    if (conditions === this.#conditions) return;
    this.#conditions = conditions;
    this.#units = new Map();
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

  /** The compilation that took these is over: what is gone is forgotten, when it is much. */
  end(units: readonly Unit[]): void {
    if (this.#units.size > MOST_KEPT * units.length + 1024) {
      this.#units = new Map(units.flatMap((unit) => (unit.rules[0] ? [[unit.rules[0], unit]] : [])));
    }
    for (const memo of [this.#groups.whole, this.#groups.later]) memo.prune(units);
  }
}
