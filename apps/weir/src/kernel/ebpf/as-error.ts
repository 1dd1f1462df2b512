import { AssemblyError } from '@weir/ebpf/asm';
import { BpfError } from '@weir/ebpf/kernel';
import { AbsentPlaceError, UnsuitablePlaceError } from './attachment.ts';
import { MissingFeatureError, RefusedProgramError } from './engine-error.ts';

/** What goes wrong with one place, or with the programs of one hook, alone. */
export function asError(error: unknown): Error {
  const own = [BpfError, AbsentPlaceError, UnsuitablePlaceError, MissingFeatureError, RefusedProgramError, AssemblyError].some(
    (kind) => error instanceof kind,
  );
  if (own && error instanceof Error) return error;
  throw error;
}
