import { existsSync } from 'node:fs';
import { BpfError, BpfProgram, findNftMatch } from '@weir/ebpf/kernel';
import { ObjectError } from '@weir/ebpf/object';
import { type BpfMatch, readBpfMatch } from '@weir/netlink/nftables';
import { SystemError } from '@weir/sys';
import type { Operation, Outcome, Refusal, TableAddress } from '../backend.ts';
import type { PinnedMatches } from '../ebpf/pinned-matches.ts';

/** `r0 = 1; exit`. */
const ALWAYS = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

const NO_MATCH = 'this kernel has no match bpf for nf_tables (CONFIG_NFT_COMPAT, CONFIG_NETFILTER_XT_MATCH_BPF)';

/** What a kernel without the match would say of rules that ask programs. */
export function refusePrograms(operations: readonly Operation[]): readonly Refusal[] {
  return operations.flatMap((one, operation): Refusal[] =>
    one.kind === 'add-rule' && one.rule.expressions.some((expression) => readBpfMatch(expression) !== undefined)
      ? [{ operation, element: undefined, code: 'ENOENT', message: NO_MATCH }]
      : [],
  );
}

/** Whether rules of a network namespace can ask programs, and this process can load them. */
export function canAskPrograms(netns: string | undefined): boolean {
  try {
    if (findNftMatch(netns) !== undefined) return false;
    BpfProgram.load({ name: 'weir_probe', type: 'socket_filter', instructions: ALWAYS }).close();
    return true;
  } catch (error) {
    if (error instanceof BpfError || error instanceof SystemError) return false;
    throw error;
  }
}

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

/** The refusal of a rule that asks a program, with what the kernel does not say: what was not found. */
export function sayWhatIsMissing(outcome: Outcome, operations: readonly Operation[]): Outcome {
  if (outcome.kind !== 'refused') return outcome;
  return { kind: 'refused', refusals: outcome.refusals.map((refusal) => withReason(refusal, operations[refusal.operation ?? -1])) };
}

function withReason(refusal: Refusal, operation: Operation | undefined): Refusal {
  if (operation?.kind !== 'add-rule') return refusal;
  const asked = operation.rule.expressions.map(readBpfMatch).find((program) => program !== undefined);
  if (asked?.kind !== 'pinned') return refusal;
  const { path } = asked;
  const users = path.startsWith('/');
  if (users && !existsSync(path)) return { ...refusal, message: `${refusal.message}: nothing is pinned at ${path}` };
  if (refusal.code === 'EINVAL' && users)
    return { ...refusal, message: `${refusal.message}: what is pinned at ${path} is no program of the type socket filter` };
  if (!MISSING.has(refusal.code)) return refusal;
  return { ...refusal, message: `${refusal.message}: ${NO_MATCH}` };
}

/** What a kernel answers that does not know the match. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

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
