import { EVENT_VERDICTS, type EventVerdict, type VerdictEvent } from '../../model/verdict-event.ts';
import { decodeVerdictEvent } from '../../model/verdict-event-codec.ts';
import { EVENT_AT, EVENT_OCTETS } from '../../model/verdict-event-layout.ts';
import type { VerdictBatch } from './reader-protocol.ts';
import { RecordQueue } from './record-queue.ts';
import { type RuleName, RuleNames } from './rule-names.ts';
import { recordTest, type VerdictFilter } from './verdict-filter.ts';
import { VerdictSubscription } from './verdict-subscription.ts';

/** Records that are kept for `last` (1.7 MB), and subscribers at one time. */
export const HISTORY = 16_384;
export const MAX_SUBSCRIPTIONS = 16;
const MOST_INTERFACES = 16_384;

/** An event with the names of what it is about, where they are known. */
export interface NamedVerdict {
  readonly event: VerdictEvent;
  readonly rule: RuleName | undefined;
  readonly tenant: string | undefined;
  readonly input: string | undefined;
  readonly output: string | undefined;
}

export interface StreamCounts {
  readonly verdicts: { readonly [V in EventVerdict]: number };
  /** Records that subscribers were too slow for, in all. */
  readonly subscriberLost: number;
}

/** Where verdict events end in the main thread: counts, the newest of them, and whoever watches. Everything is bounded; records stay bytes until somebody asks for them. */
export class VerdictStream {
  readonly names: RuleNames = new RuleNames();
  readonly #history = new RecordQueue(HISTORY);
  readonly #subscriptions = new Set<VerdictSubscription>();
  readonly #interfaces = new Map<string, string>();
  readonly #counts = new Float64Array(256);
  #lost = 0;

  readonly take = ({ records, prefixes, interfaces }: VerdictBatch): void => {
    this.names.addPrefixes(prefixes);
    for (const { scope, index, name } of interfaces) {
      if (this.#interfaces.size >= MOST_INTERFACES) this.#interfaces.clear();
      this.#interfaces.set(`${scope} ${index}`, name);
    }
    const count = Math.floor(records.length / EVENT_OCTETS);
    for (let i = 0; i < count; i++) {
      const verdict = records[i * EVENT_OCTETS + EVENT_AT.verdict] ?? 0;
      this.#counts[verdict] = (this.#counts[verdict] ?? 0) + 1;
    }
    for (let i = Math.max(0, count - HISTORY); i < count; i++) this.#history.push(records, i * EVENT_OCTETS);
    for (const subscription of this.#subscriptions) this.#lost += subscription.push(records, count);
  };

  /** The newest that are wanted, oldest first. */
  last(limit: number, filter: VerdictFilter): readonly NamedVerdict[] {
    const wanted = recordTest(filter, this.names);
    const found: NamedVerdict[] = [];
    this.#history.newest((view, at) => {
      if (found.length >= limit) return false;
      const named = wanted(view, at) ? this.name(view, at) : undefined;
      if (named) found.push(named);
      return true;
    });
    return found.reverse();
  }

  /** What comes from now on and is wanted; undefined when there are too many subscribers. Close it when done. */
  subscribe(filter: VerdictFilter): VerdictSubscription | undefined {
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS) return undefined;
    const subscription = new VerdictSubscription(
      recordTest(filter, this.names),
      (view, at) => this.name(view, at),
      (self) => this.#subscriptions.delete(self),
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** The event of a record with its names. */
  name(view: DataView, at: number): NamedVerdict | undefined {
    const event = decodeVerdictEvent(view, at);
    if (!event) return undefined;
    const interfaceOf = (index: number | undefined): string | undefined =>
      index === undefined ? undefined : (this.#interfaces.get(`${event.scope} ${index}`) ?? `#${index}`);
    const rule = this.names.of(event);
    return {
      event,
      rule,
      tenant: this.names.tenantOf(event.scope),
      input: interfaceOf(event.input),
      output: interfaceOf(event.output),
    };
  }

  counts(): StreamCounts {
    const verdicts = Object.fromEntries(EVENT_VERDICTS.map((verdict, index) => [verdict, this.#counts[index + 1] ?? 0]));
    return { verdicts: verdicts as StreamCounts['verdicts'], subscriberLost: this.#lost };
  }

  /** Ends every subscription. */
  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.close();
  }
}
