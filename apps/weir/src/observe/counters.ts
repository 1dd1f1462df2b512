import type { Event } from '../model/event.ts';
import { Histogram } from './histogram.ts';

/** Sums of what happened since the daemon started. */
export interface CounterValues {
  readonly membersAdded: number;
  readonly membersRemoved: number;
  readonly commits: number;
  readonly commitsFailed: number;
  readonly elementsAdded: number;
  readonly elementsRemoved: number;
  readonly drifts: number;
  readonly messageErrors: { readonly [action: string]: number };
  readonly refused: { readonly [set: string]: { readonly [reason: string]: number } };
  readonly sessionsEstablished: number;
  readonly sessionsLost: number;
  readonly reloads: number;
  readonly reloadsFailed: number;
  /** From the receipt of a message to the end of the commit that carried it, in milliseconds. */
  readonly latency: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** In the kernel alone. */
  readonly commitTime: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
}

/** Sets times reasons that are told apart; what exceeds them counts as `other`. */
const MAX_KEYS = 2048;

/** Counts events. Memory is bounded: keys come from the configuration and from fixed words, and are limited all the same. */
export class Counters {
  #membersAdded = 0;
  #membersRemoved = 0;
  #commits = 0;
  #commitsFailed = 0;
  #elementsAdded = 0;
  #elementsRemoved = 0;
  #drifts = 0;
  #sessionsEstablished = 0;
  #sessionsLost = 0;
  #reloads = 0;
  #reloadsFailed = 0;
  readonly #messageErrors = new Map<string, number>();
  readonly #refused = new Map<string, Map<string, number>>();
  #refusedKeys = 0;
  readonly #latency = new Histogram();
  readonly #commitTime = new Histogram();

  count(event: Event): void {
    switch (event.kind) {
      case 'member':
        if (event.present) this.#membersAdded++;
        else this.#membersRemoved++;
        break;
      case 'refused':
        this.#countRefused(event.set, event.reason);
        break;
      case 'message-errors':
        for (const error of event.errors) this.#messageErrors.set(error.action, (this.#messageErrors.get(error.action) ?? 0) + 1);
        break;
      case 'peer-state':
        if (event.to === 'Established') this.#sessionsEstablished++;
        else if (event.from === 'Established') this.#sessionsLost++;
        break;
      case 'client-sessions':
        this.#sessionsEstablished += event.up;
        this.#sessionsLost += event.down;
        break;
      case 'reload':
        if (event.ok) this.#reloads++;
        else this.#reloadsFailed++;
        break;
      case 'kernel':
        this.#countKernel(event.event);
        break;
      case 'peer-converged':
      case 'not-refreshed':
      case 'max-prefixes':
      case 'exabgp':
      case 'feed':
      case 'listen':
        break;
    }
  }

  #countKernel(event: Extract<Event, { kind: 'kernel' }>['event']): void {
    if (event.kind === 'drift') this.#drifts++;
    if (event.kind !== 'commit') return;
    const { report } = event;
    this.#commits++;
    if (!report.ok) {
      this.#commitsFailed++;
      return;
    }
    this.#elementsAdded += report.added;
    this.#elementsRemoved += report.removed;
    this.#commitTime.record(report.kernelMs);
    if (report.latencyMs !== undefined) this.#latency.record(report.latencyMs);
  }

  #countRefused(set: string, reason: string): void {
    const known = this.#refused.get(set)?.has(reason) ?? false;
    const full = !known && this.#refusedKeys >= MAX_KEYS;
    const name = full ? 'other' : set;
    const why = full ? 'other' : reason;
    let reasons = this.#refused.get(name);
    if (!reasons) {
      reasons = new Map();
      this.#refused.set(name, reasons);
    }
    if (!reasons.has(why)) this.#refusedKeys++;
    reasons.set(why, (reasons.get(why) ?? 0) + 1);
  }

  values(): CounterValues {
    return {
      membersAdded: this.#membersAdded,
      membersRemoved: this.#membersRemoved,
      commits: this.#commits,
      commitsFailed: this.#commitsFailed,
      elementsAdded: this.#elementsAdded,
      elementsRemoved: this.#elementsRemoved,
      drifts: this.#drifts,
      messageErrors: Object.fromEntries(this.#messageErrors),
      refused: Object.fromEntries([...this.#refused].map(([set, reasons]) => [set, Object.fromEntries(reasons)])),
      sessionsEstablished: this.#sessionsEstablished,
      sessionsLost: this.#sessionsLost,
      reloads: this.#reloads,
      reloadsFailed: this.#reloadsFailed,
      latency: summary(this.#latency),
      commitTime: summary(this.#commitTime),
    };
  }
}

function summary(h: Histogram): CounterValues['latency'] {
  return { count: h.count, p50: h.quantile(0.5), p99: h.quantile(0.99), max: h.max };
}
