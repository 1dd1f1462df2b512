import type { Config } from '../model/config.ts';
import type { Policy, PolicyFields, PolicyRule } from '../model/policy.ts';
import { sameData } from './same-data.ts';

/** Rules that the other side does not have, each with its number. */
export interface NewRules {
  readonly numbers: readonly number[];
  readonly rules: readonly PolicyRule[];
}

/** A configuration whose policy's rules went before it; undefined where they are in it. */
export interface SentPolicy {
  /** The rules in their order, by their numbers. */
  readonly order: Uint32Array;
  readonly files: readonly string[];
  /** By rule where it stands now: the number of its file, line, column and length. */
  readonly spans: Uint32Array;
}

/** Shorter policies go with their configuration. */
export const LEAST_SENT_APART = 256;
/** Rules of one message. */
const RULES_A_PIECE = 128;

/** What only people read stays here. */
const NO_FIELDS: PolicyFields = {
  source_cidrs: [],
  destination_cidrs: [],
  source_ports: [],
  destination_ports: [],
  protocol: '',
  in_interface: [],
  out_interface: [],
  state: [],
  expression: undefined,
};

/**
 * The side that sends the rules of policies to another thread: each rule once, for as long as it stays what it is. To clone thousands of rules takes both threads tenths of a second; and the other
 * side knows by its objects what has stayed.
 */
export class PolicySender {
  #sent: ReadonlyMap<string, { readonly number: number; readonly rule: PolicyRule }> = new Map();
  #next = 0;

  /** Sends what is new by `post`, a piece after the other, and gives what goes with the configuration. Nothing counts as sent when `post` rejects. */
  async send({ rules }: Policy, post: (piece: NewRules) => Promise<unknown>): Promise<SentPolicy> {
    const before = this.#sent;
    this.#sent = new Map();
    const sent = new Map<string, { readonly number: number; readonly rule: PolicyRule }>();
    const order = new Uint32Array(rules.length);
    const spans = new Uint32Array(rules.length * SPAN_WORDS);
    const files = new Map<string, number>();
    let piece: { numbers: number[]; rules: PolicyRule[] } = { numbers: [], rules: [] };
    for (const [place, rule] of rules.entries()) {
      const { file, line, column, length } = rule.span;
      if (!files.has(file)) files.set(file, files.size);
      spans.set([files.get(file) ?? 0, line, column, length], place * SPAN_WORDS);
      const known = before.get(rule.ref);
      const number = known && sameRule(known.rule, rule) ? known.number : this.#next++;
      order[place] = number;
      sent.set(rule.ref, { number, rule });
      if (number !== known?.number) {
        piece.numbers.push(number);
        piece.rules.push({ ...rule, description: undefined, fields: NO_FIELDS });
      }
      if (piece.rules.length < RULES_A_PIECE && (place + 1) % COMPARED_AT_ONCE !== 0) continue;
      await (piece.rules.length > 0 ? post(piece) : new Promise((resolve) => setImmediate(resolve)));
      piece = { numbers: [], rules: [] };
    }
    if (piece.rules.length > 0) await post(piece);
    this.#sent = sent;
    return { order, files: [...files.keys()], spans };
  }
}

const SPAN_WORDS = 4;
/** Rules that are compared before other work of the thread has its turn: a few milliseconds. */
const COMPARED_AT_ONCE = 512;

type Sent = Exclude<keyof PolicyRule, 'span' | 'fields' | 'description'>;

/** What is sent of a rule, but for where it stands. */
const SENT: Readonly<Record<Sent, true>> = {
  ref: true,
  text: true,
  expression: true,
  action: true,
  name: true,
  hooks: true,
  priority: true,
  program: true,
  log: true,
  sampling: true,
  audit: true,
  enabled: true,
  until: true,
};
const SENT_KEYS = Object.keys(SENT) as readonly Sent[];

/** Whether it is the same rule, wherever it stands. */
function sameRule(a: PolicyRule, b: PolicyRule): boolean {
  return a === b || SENT_KEYS.every((key) => sameData(a[key], b[key]));
}

/** The side that gets the rules: those that stay are the same objects from one policy to the next, as are their expressions where they only stand elsewhere. */
export class PolicyReceiver {
  #rules = new Map<number, PolicyRule>();

  take({ numbers, rules }: NewRules): void {
    for (const [i, rule] of rules.entries()) this.#rules.set(numbers[i] ?? -1, rule);
  }

  /** The configuration with the rules of its policy. Rules that are not in it are forgotten. RangeError when one has not come. */
  put(config: Config, { order, files, spans }: SentPolicy): Config {
    const { policy } = config;
    if (!policy) return config;
    const kept = new Map<number, PolicyRule>();
    for (const [place, number] of order.entries()) {
      const rule = this.#rules.get(number);
      if (!rule) throw new RangeError(`rule ${number} of a policy has not come`);
      const [file = 0, line = 0, column = 0, length = 0] = spans.subarray(place * SPAN_WORDS, (place + 1) * SPAN_WORDS);
      const span = { file: files[file] ?? '', line, column, length };
      kept.set(number, sameData(span, rule.span) ? rule : { ...rule, span });
    }
    this.#rules = kept;
    return { ...config, policy: { ...policy, rules: [...kept.values()] } };
  }
}
