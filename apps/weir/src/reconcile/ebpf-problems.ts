import { locateRefusal } from '@weir/ebpf/asm';
import { BpfError, type VerifierError } from '@weir/ebpf/kernel';
import { describeRefusal, type Refusal } from '../compile/refusal.ts';
import {
  AbsentPlaceError,
  describePlace,
  EngineBusyError,
  type EngineProblem,
  MissingFeatureError,
  RefusedProgramError,
  type WantedHook,
} from '../kernel/ebpf/index.ts';
import type { CompiledHook } from '../model/ebpf-program.ts';
import type { KernelProblem } from '../model/kernel-port.ts';

/** A problem as people are told of it, but for its time. */
export type Told = Omit<KernelProblem, 'since' | 'tenant'>;

/** What the engine could not do. */
export function tellProblem({ hook, place, error }: EngineProblem, wanted: WantedHook | undefined): Told {
  if (error instanceof RefusedProgramError) return tellRefusal(hook, error, wanted?.programs.get(error.variant));
  return { ...classify(error), subject: place ? describePlace(place) : hook, remedy: undefined };
}

/** What kept the engine from being opened. */
export function tellFailure(error: Error, directory: string): Told {
  return { ...classify(error), subject: directory, remedy: undefined };
}

function classify(error: Error): Pick<Told, 'kind' | 'message'> {
  const { message } = error;
  if (error instanceof EngineBusyError) return { kind: 'engine-busy', message };
  if (error instanceof MissingFeatureError) return { kind: 'feature-missing', message };
  if (error instanceof AbsentPlaceError) return { kind: 'place-missing', message };
  if (error instanceof BpfError && error.reason === 'permission') return { kind: 'not-permitted', message };
  if (error instanceof BpfError && error.reason === 'absent') return { kind: 'place-missing', message };
  return { kind: 'attach-failed', message };
}

/** The verifier's refusal, led back to the rule and its line. What was in force before stays. */
function tellRefusal(hook: string, { cause }: RefusedProgramError, compiled: CompiledHook | undefined): Told {
  const origin = compiled && locateRefusal(cause.report, compiled.program)?.origin;
  const span = origin?.provenance.kind === 'file' ? origin.provenance.span : undefined;
  const place = span ? `${span.file}:${span.line}:${span.column} ` : '';
  const message = `${place}${origin?.ref ?? hook}: ${refusalText(cause)}; the rules before stay in force`;
  return { kind: 'refused', subject: origin?.ref ?? hook, message, remedy: undefined };
}

function refusalText(error: VerifierError): string {
  const { message, limit } = error.report;
  return limit
    ? `the kernel's verifier takes no program of this size (${message})`
    : `the kernel's verifier refuses it: ${message ?? error.message}`;
}

/** What programs cannot say, which the configuration should not have got past. */
export function tellUnsayable(refusal: Refusal): Told {
  return { kind: 'refused', subject: refusal.rule ?? refusal.hook, message: describeRefusal(refusal), remedy: undefined };
}
