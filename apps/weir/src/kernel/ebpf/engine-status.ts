import type { ListState } from './list-store.ts';
import type { AttachPlace } from './pin-layout.ts';
import type { HeldPlace } from './places.ts';
import type { CountColumns } from './rule-counts.ts';

/** A place as it is held, for a hook. */
export interface PlaceStatus extends HeldPlace {
  readonly hook: string;
  readonly place: AttachPlace;
  /** The number of the programs in force. */
  readonly generation: number | undefined;
}

export interface EngineStatus {
  readonly directory: string;
  readonly places: readonly PlaceStatus[];
  readonly lists: readonly ListState[];
  readonly rules: readonly {
    readonly hook: string;
    readonly generation: number | undefined;
    readonly refs: readonly string[];
    /** Of a map with counts by rule. */
    readonly counts: (symbol: string) => CountColumns | undefined;
  }[];
}
