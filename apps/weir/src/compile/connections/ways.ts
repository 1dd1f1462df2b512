import type { ConnectionState } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import type { Ip } from '@weir/wire/inet';
import type { Flow, Seen } from './first-packet.ts';

/** A tracked connection as rules have met its first packet. */
export interface TrackedFlow {
  /** As it came in or was sent. */
  readonly original: Flow;
  /** The same with the destination that address translation gave it. */
  readonly translated: Flow;
  /** What conntrack had said of its first packet: new, or related to another connection. */
  readonly state: ConnectionState;
}

/** Where packets to an address go: to this host, or out by one of these interfaces (undefined: by which cannot be told). */
export type Route = { readonly kind: 'local' } | { readonly kind: 'out'; readonly interfaces: readonly string[] | undefined };

/** The routing of one network namespace. */
export interface Routing {
  isLocal(address: Ip): boolean;
  /** Undefined where it cannot be told. */
  to(address: Ip): Route | undefined;
}

export interface Step extends Seen {
  readonly hook: Hook;
  readonly flow: Flow;
}

/** The hooks that a packet comes to, in order. */
export type Way = readonly Step[];

const NONE: readonly string[] = [];
const LOOPBACK: readonly string[] = ['lo'];

/**
 * The ways that the first packet of a connection can have taken through this host. It came in by the interface by which its source is reached: what routing says, unless
 * `blind`, which asks for less and says less.
 */
export function waysOf(connection: TrackedFlow, routing: Routing, blind: boolean): readonly Way[] {
  const { original, translated, state } = connection;
  const to = routing.to(translated.destination);
  const out = to?.kind === 'out' ? to.interfaces : undefined;
  const step = (hook: Hook, flow: Flow, iif: readonly string[] | undefined, oif: readonly string[] | undefined): Step => ({
    hook,
    flow,
    state,
    iif,
    oif,
  });
  if (routing.isLocal(original.source)) {
    if (to?.kind !== 'local') return [[step('output', translated, NONE, out)]];
    const back = (hook: Hook): Step => step(hook, translated, LOOPBACK, NONE);
    return [[step('output', translated, NONE, LOOPBACK), back('prerouting'), back('input')]];
  }
  const from = blind ? undefined : routing.to(original.source);
  const iif = from?.kind === 'out' ? from.interfaces : undefined;
  const first = step('prerouting', original, iif, NONE);
  const input: Way = [first, step('input', translated, iif, NONE)];
  const forward: Way = [first, step('forward', translated, iif, out)];
  if (!to) return [input, forward];
  return [to.kind === 'local' ? input : forward];
}
