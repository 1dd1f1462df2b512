import { Packet } from '@weir/filter/packet';
import { DEFAULT_EBPF, type EbpfConfig, type EbpfHook } from '../../model/ebpf.ts';
import type { Place } from '../../model/ebpf-program.ts';
import type { Known } from './expression.ts';

/** One of the programs that the rules of a hook come to: what it is attached to is known when it is made. */
export interface Variant {
  readonly hook: EbpfHook;
  readonly place: Place;
  /** Unique in its hook, the same as long as it is the same place: `eth0`, `ingress eth0`, `connect4`. */
  readonly name: string;
  readonly known: Known | undefined;
}

const NOWHERE = { file: '', line: 0, column: 0, length: 0 } as const;
const CONNECT_PLACES = ['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const;
const INTERFACES: ReadonlySet<string> = new Set(['iif.name', 'oif.name']);

/**
 * The programs that a configuration attaches. At tc a frame has come in by the interface (`iif.name`), or it goes out by it (`oif.name`); the other one is missing, as it is
 * at xdp.
 */
export function variantsOf({ xdp, tc, connect }: EbpfConfig): readonly Variant[] {
  return [
    ...(xdp?.interfaces ?? []).map(({ name }): Variant => ({ hook: 'xdp', place: 'xdp', name, known: onInterface({ iif: name }) })),
    ...(tc?.ingress ?? []).map(({ name }): Variant => tcVariant('ingress', name)),
    ...(tc?.egress ?? []).map(({ name }): Variant => tcVariant('egress', name)),
    ...(connect ? CONNECT_PLACES : []).map((place): Variant => ({ hook: 'connect', place, name: place, known: undefined })),
  ];
}

/** What is assumed of policy files alone: one interface, and every process. */
export const ASSUMED_EBPF: EbpfConfig = {
  ...DEFAULT_EBPF,
  xdp: { interfaces: [{ name: 'eth0', span: NOWHERE }], mode: 'auto', onExit: 'keep' },
  tc: { ingress: [{ name: 'eth0', span: NOWHERE }], egress: [{ name: 'eth0', span: NOWHERE }], onExit: 'keep' },
  connect: { cgroup: '/sys/fs/cgroup', onExit: 'keep', span: NOWHERE },
};

function tcVariant(direction: 'ingress' | 'egress', name: string): Variant {
  return {
    hook: 'tc',
    place: 'tc',
    name: `${direction} ${name}`,
    known: onInterface(direction === 'ingress' ? { iif: name } : { oif: name }),
  };
}

/** What is known on an interface, by it: the same object each time, for what is kept of the rules that it was asked about. */
const ON_INTERFACE = new Map<string, Known>();
const MOST_KEPT = 1024;

function onInterface(context: { readonly iif?: string; readonly oif?: string }): Known {
  const key = JSON.stringify(context);
  const kept = ON_INTERFACE.get(key);
  if (kept) return kept;
  if (ON_INTERFACE.size >= MOST_KEPT) ON_INTERFACE.clear();
  const known = { fields: INTERFACES, subject: Packet.fromNetwork(new Uint8Array(0), context) };
  ON_INTERFACE.set(key, known);
  return known;
}
