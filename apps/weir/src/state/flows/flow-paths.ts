import { type Ip, printIp } from '@weir/wire/inet';
import type { ActiveFlow, FlowConfig, FlowHop, FlowPath, FlowRouting, NextHopState } from '../../model/flow.ts';
import { sameDefinition } from '../reconfigure.ts';
import type { FlowEntry } from './flow-entry.ts';

interface Slot {
  readonly address: Ip;
  /** Announcements that redirect there. */
  users: number;
  /** A flow rule of before the start redirects there. */
  kept: boolean;
  /** Which of the marks and tables is its; undefined where it has none. */
  index: number | undefined;
  /** Nobody asked for it when flow rules were last handed over. */
  leaving: boolean;
  /** Why packets cannot be redirected there; undefined where they can. */
  refused: string | undefined;
}

/**
 * The addresses that flow rules redirect packets to (draft-ietf-idr-flowspec-redirect-ip): which mark and table each has, and whether packets can get there. A mark is given to another address only when no flow rule with it
 * judges any more. Bound: as many as there are announcements, of which `most` have a mark.
 */
export class FlowPaths {
  readonly #slots = new Map<string, Slot>();
  #routing: FlowRouting | undefined;
  /** There was no mark for somebody. */
  #full = false;
  #again: () => void = () => undefined;
  #watch: () => void = () => undefined;

  /** `again`: an announcement may have to be judged otherwise. */
  onChange(again: () => void): void {
    this.#again = again;
  }

  /** `watch`: other addresses have to be asked about. */
  onHops(watch: () => void): void {
    this.#watch = watch;
    watch();
  }

  /** Takes a configuration; gives whether marks or tables are others now. */
  configure(config: FlowConfig | undefined): boolean {
    if (sameDefinition(this.#routing, config?.routing)) return false;
    this.#routing = config?.routing;
    const slots = [...this.#slots.values()].filter(({ index }) => index !== undefined);
    for (const slot of slots) slot.index = undefined;
    for (const slot of slots) slot.index = this.#free();
    this.#watch();
    return slots.length > 0;
  }

  use({ treatment }: Pick<FlowEntry, 'treatment'>): void {
    if (treatment.redirect?.kind === 'ip') this.#slot(treatment.redirect.address).users++;
  }

  unuse({ treatment }: Pick<FlowEntry, 'treatment'>): void {
    const slot = treatment.redirect?.kind === 'ip' && this.#slots.get(printIp(treatment.redirect.address));
    if (!slot) return;
    slot.users--;
    if (isUnused(slot) && slot.index === undefined) this.#slots.delete(printIp(slot.address));
  }

  /** What is in force from before the start keeps its mark. */
  adopt({ treatment, path }: ActiveFlow): void {
    const { redirect } = treatment;
    if (redirect?.kind !== 'ip' || !path) return;
    const index = path.mark - (this.#routing?.firstMark ?? 0);
    const { mark, table } = this.#path(index) ?? {};
    if (mark !== path.mark || table !== path.table || this.#taken().has(index)) return;
    Object.assign(this.#slot(redirect.address), { index, kept: true, refused: undefined });
    this.#watch();
  }

  /** Nothing of before the start is in force by itself any more. */
  forgetKept(): void {
    for (const slot of this.#slots.values()) slot.kept = false;
  }

  /** Gives an entry its path; or why there is none. None where the engines cannot redirect so at all. */
  take(entry: FlowEntry): string | undefined {
    const { treatment, rule } = entry;
    const { redirect } = treatment;
    entry.path = undefined;
    if (redirect?.kind !== 'ip' || redirect.copy || redirect.address.family !== rule.address) return undefined;
    const slot = this.#slot(redirect.address);
    if (slot.index === undefined) {
      slot.index = this.#free();
      if (slot.index === undefined) {
        this.#full = true;
        return `packets are redirected to ${this.#routing?.most ?? 0} addresses already (flowspec.routing.next_hops)`;
      }
      this.#watch();
    }
    entry.path = this.#path(slot.index);
    return slot.refused;
  }

  /** What the kernel side says of addresses. */
  learn(hops: readonly NextHopState[]): void {
    let changed = false;
    for (const { address, refused } of hops) {
      const slot = this.#slots.get(printIp(address));
      if (!slot || slot.refused === refused) continue;
      slot.refused = refused;
      changed = true;
    }
    if (changed) this.#again();
  }

  /** The addresses with a mark. */
  hops(): readonly FlowHop[] {
    return [...this.#slots.values()].flatMap(({ address, index }) => {
      const path = index === undefined ? undefined : this.#path(index);
      return path ? [{ address, path }] : [];
    });
  }

  /** Flow rules are handed over: those that are gone are not among them. */
  drained(): void {
    for (const slot of this.#slots.values()) slot.leaving = isUnused(slot);
  }

  /** They judge: marks that none of them has are free. */
  carried(): void {
    const before = this.#slots.size;
    for (const [key, slot] of this.#slots) if (slot.leaving && isUnused(slot)) this.#slots.delete(key);
    if (this.#slots.size === before) return;
    this.#watch();
    if (!this.#full) return;
    this.#full = false;
    this.#again();
  }

  copy(): FlowPaths {
    const copy = new FlowPaths();
    copy.#routing = this.#routing;
    for (const [key, slot] of this.#slots) copy.#slots.set(key, { ...slot });
    return copy;
  }

  #slot(address: Ip): Slot {
    const key = printIp(address);
    const refused = `whether there is a way to ${key} is not known yet`;
    const slot = this.#slots.get(key) ?? { address, users: 0, kept: false, index: undefined, leaving: false, refused };
    this.#slots.set(key, slot);
    return slot;
  }

  #taken(): ReadonlySet<number | undefined> {
    return new Set([...this.#slots.values()].map(({ index }) => index));
  }

  #free(): number | undefined {
    const taken = this.#taken();
    for (let index = 0; index < (this.#routing?.most ?? 0); index++) if (!taken.has(index)) return index;
    return undefined;
  }

  #path(index: number): FlowPath | undefined {
    const { most, firstMark, firstTable } = this.#routing ?? { most: 0, firstMark: 0, firstTable: 0 };
    return index >= 0 && index < most ? { mark: firstMark + index, table: firstTable + index } : undefined;
  }
}

function isUnused({ users, kept }: Slot): boolean {
  return users === 0 && !kept;
}
