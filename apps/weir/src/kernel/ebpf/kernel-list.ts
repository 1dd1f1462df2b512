import type { BpfMap } from '@weir/ebpf/kernel';
import type { MapNeed } from '../../model/ebpf-program.ts';
import type { MemberDelta, PrefixColumns } from '../../model/member-delta.ts';

export type ListNeed = Extract<MapNeed, { kind: 'list' }>;

/** What a delta did. `leftOut`: members that there was no room for. `grown`: the members are in another map now, so programs have to be bound again. */
export interface ListChange {
  readonly added: number;
  readonly removed: number;
  readonly leftOut: number;
  readonly grown: boolean;
}

/** The members of one family of a named set, where programs look addresses up. */
export interface KernelList {
  /** What programs are bound to now. */
  readonly map: BpfMap;
  /** How many members it has. */
  readonly size: number;
  /** Whether programs that need this can be bound to it. */
  fits(need: ListNeed): boolean;
  /** BpfError where the kernel refuses for another reason than that it is full. */
  apply(delta: MemberDelta): ListChange;
  /** What is there: of this process, or of one before it. */
  members(): PrefixColumns;
  /** Whether the map is whole, and has as many members as this process has put there; it looks at all of it. */
  isSound(): boolean;
  /** Gives the descriptors back; what is pinned stays. */
  close(): void;
}
