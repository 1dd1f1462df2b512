import { BpfError } from '@weir/ebpf/kernel';
import { ObjectError } from '@weir/ebpf/object';
import type { BpfMatch } from '@weir/netlink/nftables';
import type { Operation, Refusal, TableAddress } from '../backend.ts';
import type { PinnedMatches } from '../ebpf/pinned-matches.ts';

/** Sees to it that the programs are there which rules of a transaction ask. What is refused is said of the rule. */
export function ruleProgramPlaces(
  programs: PinnedMatches,
  operations: readonly Operation[],
): { readonly places: ReadonlyMap<string, BpfMatch>; readonly refusals: readonly Refusal[] } {
  const places = new Map<string, BpfMatch>();
  const refusals: Refusal[] = [];
  for (const [index, operation] of operations.entries()) {
    if (operation.kind !== 'add-rule') continue;
    for (const program of operation.rule.programs ?? []) {
      if (places.has(program.name)) continue;
      try {
        places.set(program.name, programs.use(operation.address.table, program));
      } catch (error) {
        if (!(error instanceof BpfError) && !(error instanceof ObjectError)) throw error;
        refusals.push({ operation: index, element: undefined, code: error.code, message: error.message });
      }
    }
  }
  return { places, refusals };
}

/** Lets go of what a table asks no more; says why it cannot. What stays then is tried again at the next start. */
export function keepPrograms(programs: PinnedMatches, table: string, names: ReadonlySet<string>): string | undefined {
  try {
    programs.keep(table, names);
    return undefined;
  } catch (error) {
    if (error instanceof BpfError) return error.message;
    throw error;
  }
}

/** The tables that are gone after a transaction. */
export function deletedTables(operations: readonly Operation[]): readonly TableAddress[] {
  const gone = new Map<string, TableAddress>();
  for (const { kind, address } of operations) {
    const key = `${address.family} ${address.table}`;
    if (kind === 'delete-table') gone.set(key, address);
    else if (kind === 'put-table') gone.delete(key);
  }
  return [...gone.values()];
}
