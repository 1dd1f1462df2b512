import { locateRefusal } from '@weir/ebpf/asm';
import { BpfError, type VerifierError } from '@weir/ebpf/kernel';
import { describeRefusal, type Refusal } from '../compile/refusal.ts';
import {
  AbsentPlaceError,
  describePlace,
  EngineBusyError,
  type EngineProblem,
  type InForce,
  MissingFeatureError,
  RefusedProgramError,
  type WantedHook,
} from '../kernel/ebpf/index.ts';
import { EBPF_RIGHTS } from '../model/ebpf.ts';
import type { CompiledHook } from '../model/ebpf-program.ts';
import type { KernelProblem } from '../model/kernel-port.ts';

/** A problem as people are told of it, but for its time. */
export type Told = Omit<KernelProblem, 'since' | 'tenant'>;

/** What the engine could not do. */
export function tellProblem({ hook, place, error, inForce }: EngineProblem, wanted: WantedHook | undefined): Told {
  const now = tellInForce(inForce);
  if (error instanceof RefusedProgramError) return tellRefusal(hook, error, wanted?.programs.get(error.variant), now);
  const { kind, message } = classify(error);
  return { kind, subject: place ? describePlace(place) : aboutHook(hook), message: message + now, remedy: undefined };
}

/** What a problem about the rules of a hook, or one of them, is about: what keeps a change from being taken. */
function aboutHook(hook: string, rule?: string): string {
  return rule === undefined ? `hook ${hook}` : `rule ${rule}`;
}

/** What judges while the rules that are wanted do not. */
function tellInForce(inForce: InForce | undefined): string {
  switch (inForce?.kind) {
    case undefined:
      return '';
    case 'before':
      return '; the rules before stay in force';
    case 'nothing':
      return '; NOTHING OF WEIR JUDGES THERE, every packet passes it';
    case 'stand-in':
      return `; in force until that is mended: ${inForce.what}`;
  }
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
  if (error instanceof BpfError && error.reason === 'permission') return { kind: 'not-permitted', message: `${message}; ${EBPF_RIGHTS}` };
  if (error instanceof BpfError && error.reason === 'absent') return { kind: 'place-missing', message };
  return { kind: 'attach-failed', message };
}

/** The verifier's refusal, led back to the rule and its line. */
function tellRefusal(hook: string, { cause }: RefusedProgramError, compiled: CompiledHook | undefined, now: string): Told {
  const origin = compiled && locateRefusal(cause.report, compiled.program)?.origin;
  const span = origin?.provenance.kind === 'file' ? origin.provenance.span : undefined;
  const place = span ? `${span.file}:${span.line}:${span.column} ` : '';
  const message = `${place}${origin?.ref ?? hook}: ${refusalText(cause)}${now}`;
  return { kind: 'refused', subject: aboutHook(hook, origin?.ref), message, remedy: undefined };
}

function refusalText(error: VerifierError): string {
  const { message, limit } = error.report;
  return limit
    ? `the kernel's verifier takes no program of this size (${message})`
    : `the kernel's verifier refuses it: ${message ?? error.message}`;
}

/** What programs cannot say, which the configuration should not have got past. */
export function tellUnsayable(refusal: Refusal, inForce: InForce | undefined): Told {
  const message = describeRefusal(refusal) + tellInForce(inForce);
  return { kind: 'refused', subject: aboutHook(refusal.hook, refusal.rule), message, remedy: undefined };
}
