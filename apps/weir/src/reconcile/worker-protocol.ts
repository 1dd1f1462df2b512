import type { Config } from '../model/config.ts';
import type { FlowDelta, FlowHop } from '../model/flow.ts';
import type { FlushReport, Lifeline } from '../model/flush.ts';
import type { CommitReport, EarlierRules, KernelEvent, KernelStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import type { NewRules, SentPolicy } from './policy-transfer.ts';

/** What the kernel worker is started with. */
export interface WorkerData {
  readonly netns: string | undefined;
  readonly stateDirectory: string;
  /** Descriptor of the socket that the service manager held; see `takeHeldSocket`. */
  readonly heldSocket?: number | undefined;
}

/** From the main thread. Calls are answered in order, by their number. */
export type Call =
  /** Rules of the policy of the configuration that comes next. */
  | { readonly id: number; readonly kind: 'rules'; readonly piece: NewRules }
  | {
      readonly id: number;
      readonly kind: 'configure';
      readonly config: Config;
      readonly earlier: EarlierRules | undefined;
      /** Where the rules of its policy were sent before. */
      readonly policy: SentPolicy | undefined;
    }
  | { readonly id: number; readonly kind: 'flows'; readonly delta: FlowDelta }
  | { readonly id: number; readonly kind: 'watch'; readonly hops: readonly FlowHop[] }
  | { readonly id: number; readonly kind: 'apply'; readonly deltas: readonly MemberDelta[] }
  | { readonly id: number; readonly kind: 'status' }
  | { readonly id: number; readonly kind: 'flush'; readonly lifelines: readonly Lifeline[] }
  | { readonly id: number; readonly kind: 'close'; readonly clear: boolean };

/** What a call gives back. */
export interface Results {
  readonly rules: undefined;
  readonly configure: readonly MemberColumns[];
  readonly flows: undefined;
  readonly watch: undefined;
  readonly apply: CommitReport;
  readonly status: KernelStatus;
  readonly flush: FlushReport;
  readonly close: undefined;
}

/** An error on its way between threads: what a person and `code` checks need of it. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly call: string | undefined;
  readonly operation: string | undefined;
}

/** To the main thread. `ready` comes first. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly id: number; readonly value: Results[keyof Results] }
  | { readonly kind: 'error'; readonly id: number | undefined; readonly error: PlainError }
  | { readonly kind: 'event'; readonly event: KernelEvent };

/** Passwords stay in the main thread. */
export function withoutSecrets(config: Config): Config {
  return { ...config, bgp: { ...config.bgp, peers: config.bgp.peers.map((peer) => ({ ...peer, password: undefined })) } };
}

export function plainError(error: unknown): PlainError {
  const e = error instanceof Error ? error : new Error(String(error));
  const field = (name: string): unknown => (name in e ? (e as unknown as Record<string, unknown>)[name] : undefined);
  const text = (name: string): string | undefined => {
    const value = field(name);
    return typeof value === 'string' ? value : undefined;
  };
  const errno = field('errno');
  return {
    name: e.name,
    message: e.message,
    code: text('code'),
    errno: typeof errno === 'number' ? errno : undefined,
    call: text('call'),
    operation: text('operation'),
  };
}

/** The error again, with the same fields. */
export function revivedError(plain: PlainError): Error {
  const error = new Error(plain.message);
  const { name, code, errno, call, operation } = plain;
  return Object.assign(error, {
    name,
    ...(code === undefined ? {} : { code }),
    ...(errno === undefined ? {} : { errno }),
    ...(call === undefined ? {} : { call }),
    ...(operation === undefined ? {} : { operation }),
  });
}
