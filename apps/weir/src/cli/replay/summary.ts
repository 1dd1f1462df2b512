import type { Outcome } from './outcome.ts';
import { printRuleName } from './render.ts';

/** Rules and reasons that a summary names. */
const MOST_LINES = 20;

/** Counts what became of packets. */
export class Summary {
  readonly #verdicts = new Map<string, number>();
  readonly #rules = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  packets = 0;
  differences = 0;

  add(outcome: Outcome): void {
    this.packets++;
    count(this.#verdicts, outcome.kind === 'judged' ? outcome.verdict : 'not judged');
    if (outcome.kind === 'not-judged') count(this.#reasons, outcome.reason);
    else count(this.#rules, outcome.rule ? printRuleName(outcome.rule) : 'no rule');
  }

  /** `12 packets: 10 allow, 2 deny (10 web#20, 2 <default>); 31000 packets a second`, and why packets were not judged. `seconds` is what it took. */
  print(seconds: number): string {
    const rules = list(this.#rules);
    const rate = seconds > 0 ? `; ${Math.round(this.packets / seconds)} packets a second` : '';
    const head = `${this.packets} packets: ${list(this.#verdicts) || 'none'}${rules && ` (${rules})`}${rate}\n`;
    const reasons = this.#reasons.size > 0 ? `not judged: ${list(this.#reasons)}\n` : '';
    return head + reasons;
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The most frequent first. */
function list(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const named = sorted.slice(0, MOST_LINES).map(([name, n]) => `${n} ${name}`);
  const more = sorted.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}
