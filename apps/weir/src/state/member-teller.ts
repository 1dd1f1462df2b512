import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { Event, EventSink } from '../model/event.ts';
import { FAMILY_INDEXES, type FamilyIndex } from './family-index.ts';
import type { Rib } from './rib.ts';
import type { RouteStateOptions } from './route-state-options.ts';
import type { SetState } from './set-state.ts';

/** Changes of one drain that are told as events. */
const EVENTS_PER_DRAIN = 256;

/** A change of one member. `f` and `prefix` are indexes of the RIB. */
type Change = (f: FamilyIndex, prefix: number, present: boolean) => void;

/** Tells of members as they come and go: the first of a drain as events, all of them to who watches the set. */
export class MemberTeller {
  readonly #rib: Rib;
  readonly #events: EventSink | undefined;
  readonly #watcher: RouteStateOptions['watcher'];
  #left = EVENTS_PER_DRAIN;

  constructor(rib: Rib, { events, watcher }: Pick<RouteStateOptions, 'events' | 'watcher'>) {
    this.#rib = rib;
    this.#events = events;
    this.#watcher = watcher;
  }

  /** A drain begins. */
  begin(): void {
    this.#left = EVENTS_PER_DRAIN;
  }

  /** For the changes of a set in a drain. */
  changes(set: SetState): Change {
    const members = this.members(set);
    return (f, prefix, present) => {
      members(f, prefix, present);
      if (this.#events && this.#left-- > 0) this.#events(this.#event(set, f, prefix, present));
    };
  }

  /** The same without events. */
  members(set: SetState): Change {
    const tell = this.#watcher?.(set.definition.name);
    return (f, prefix, present) => tell?.(this.#rib.ribs[f].table.prefix(prefix), present);
  }

  /** Every member of a set, in no order. */
  prefixesOf(set: SetState): readonly Prefix[] {
    const out: Prefix[] = [];
    for (const f of FAMILY_INDEXES) {
      const { table } = this.#rib.ribs[f];
      set.forEachMember(f, (prefix) => {
        out.push(table.prefix(prefix));
      });
    }
    return out;
  }

  /** With the first peer that asks for it. */
  #event(set: SetState, f: FamilyIndex, prefix: number, present: boolean): Event {
    const [first] = present ? this.#rib.contributors(set.index, f, prefix) : [];
    const peer = first === undefined ? undefined : this.#rib.peers[first]?.definition.name;
    const text = printPrefix(this.#rib.ribs[f].table.prefix(prefix));
    return { at: this.#rib.now(), kind: 'member', set: set.definition.name, prefix: text, present, peer };
  }
}
