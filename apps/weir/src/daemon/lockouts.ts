import { networkInterfaces } from 'node:os';
import type { Lists } from '@weir/filter/eval';
import { buildPacket, Packet, type PacketDescription, TCP_FLAGS } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { inNetworkNamespace, SystemError } from '@weir/sys';
import { equalIp, type Ip, parseIp, printIp } from '@weir/wire/inet';
import { judge, UnjudgeableError } from '../compile/interpreter/index.ts';
import { judgement } from '../compile/judgement/index.ts';
import type { Config } from '../model/config.ts';
import type { EbpfConfig } from '../model/ebpf.ts';
import type { ActiveFlow } from '../model/flow.ts';
import type { Lifeline } from '../model/flush.ts';
import type { HookRules } from '../model/rule.ts';
import { qualifiedName, tenantConfig } from '../model/scopes.ts';

/** A connection that has to stay possible. */
interface Need {
  readonly what: string;
  readonly client: Ip;
  readonly server: Ip;
  readonly port: number;
  /** Whether this host is the server. */
  readonly incoming: boolean;
}

export interface LockoutContext {
  /** `$SSH_CONNECTION` of whoever asks: client address and port, server address and port. */
  readonly ssh: string | undefined;
  readonly now: number;
  readonly lists: Lists;
  /** Flow rules of peers that are in force, and that would be; none when absent. */
  readonly flows?: { readonly before: readonly ActiveFlow[]; readonly after: readonly ActiveFlow[] } | undefined;
}

const EPHEMERAL = 50_000;

/**
 * New connections of the operator who asks (by SSH) and of the BGP peers that `before` lets through and `after` does not, a line each with the rule that
 * would deny it. Chains of others are not modelled.
 */
export function findLockouts(before: Config, after: Config, context: LockoutContext): readonly string[] {
  const own = lockoutsOf(needs(after, context.ssh), before, after, context);
  return [...own, ...tenantLockouts(before, after, context)];
}

function lockoutsOf(lines: readonly Need[], before: Config, after: Config, context: LockoutContext): readonly string[] {
  const { flows } = context;
  const then = judgement({ ...before, flows: flows?.before }, context.now);
  const soon = judgement({ ...after, flows: flows?.after }, context.now);
  return lines.flatMap((line) => {
    const denied = denial(line, soon, after, context);
    if (denied === undefined || denial(line, then, before, context) !== undefined) return [];
    return [`${line.what}: tcp ${printIp(line.client)} -> ${printIp(line.server)} port ${line.port} would be denied by ${denied}`];
  });
}

/** The same where the operator's session ends in the namespace of a tenant. The BGP sessions are the daemon's own. */
function tenantLockouts(before: Config, after: Config, context: LockoutContext): readonly string[] {
  return after.tenants.flatMap((tenant) => {
    const own = tenantConfig(after, tenant);
    const lines = needs(own, context.ssh).filter((line) => hasAddress(line.server, tenant.netns));
    if (lines.length === 0) return [];
    const was = before.tenants.find((one) => one.name === tenant.name);
    const old = was ? tenantConfig(before, was) : { ...own, sets: [], firewall: undefined, policy: undefined };
    const lists: Lists = { has: (list, value) => context.lists.has(qualifiedName(tenant.name, list), value) };
    return lockoutsOf(lines, old, own, { ...context, lists, flows: undefined }).map((text) => `tenant ${tenant.name}: ${text}`);
  });
}

/** A namespace that is not there has no addresses. */
function hasAddress(address: Ip, netns: string): boolean {
  try {
    return interfaceOf(address, netns) !== undefined;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/** Connections that are not to be cut: the session of the operator who asks, and those of the BGP peers. */
export function lifelines(config: Config, ssh: string | undefined): readonly Lifeline[] {
  const [client, from, server, to] = (ssh ?? '').split(' ');
  const [one, other] = [parseIp(client ?? ''), parseIp(server ?? '')];
  const lines: Lifeline[] =
    one && other ? [{ one: { address: one, port: Number(from) }, other: { address: other, port: Number(to) } }] : [];
  const any = { address: undefined, port: undefined };
  for (const peer of config.bgp.peers) {
    lines.push({ one: { address: peer.address, port: peer.port }, other: any });
    for (const port of ports(config)) lines.push({ one: { address: peer.address, port: undefined }, other: { address: undefined, port } });
  }
  return lines;
}

function needs(config: Config, ssh: string | undefined): Need[] {
  const [client, , server, port] = (ssh ?? '').split(' ');
  const [from, to] = [parseIp(client ?? ''), parseIp(server ?? '')];
  const lines: Need[] = [];
  if (from && to && from.family === to.family && /^\d{1,5}$/.test(port ?? ''))
    lines.push({ what: 'your SSH session', client: from, server: to, port: Number(port), incoming: true });
  for (const peer of config.bgp.peers) {
    const local = peer.source ?? config.bgp.listen.find((one) => one.address.family === peer.address.family)?.address;
    if (!local) continue;
    const what = `BGP peer ${peer.name}`;
    for (const own of ports(config)) lines.push({ what, client: peer.address, server: local, port: own, incoming: true });
    if (!peer.passive) lines.push({ what, client: local, server: peer.address, port: peer.port, incoming: false });
  }
  return lines;
}

/** Where peers may call. */
function ports({ bgp }: Config): ReadonlySet<number> {
  return new Set(bgp.listen.length > 0 ? bgp.listen.map((one) => one.port) : [179]);
}

/** The rule that denies the first packet of a connection, or the answer to it; undefined when none does. */
function denial(line: Need, hooks: readonly HookRules[], config: Config, context: LockoutContext): string | undefined {
  const there = packet(line.client, line.server, EPHEMERAL, line.port, TCP_FLAGS.syn);
  const back = packet(line.server, line.client, line.port, EPHEMERAL, TCP_FLAGS.syn + TCP_FLAGS.ack);
  const name = interfaceOf(line.incoming ? line.server : line.client, config.netns);
  const crossed = line.incoming
    ? [...crossing('in', there, 'new'), ...crossing('out', back, 'established')]
    : [...crossing('out', there, 'new'), ...crossing('in', back, 'established')];
  for (const { hook, way, bytes, state } of crossed) {
    const at = seenBy(hook, way, name, config.ebpf);
    if (!at) continue;
    for (const rules of hooks.filter((one) => one.hook === hook)) {
      const denied = denyingRule(rules, Packet.fromNetwork(bytes, { ...at, state }), context);
      if (denied !== undefined) return `${hook} ${denied}`;
    }
  }
  return undefined;
}

type Way = 'in' | 'out';

/** A hook that a packet comes to. */
interface Crossed {
  readonly hook: Hook;
  readonly way: Way;
  readonly bytes: Uint8Array;
  readonly state: 'new' | 'established';
}

function crossing(way: Way, bytes: Uint8Array, state: Crossed['state']): readonly Crossed[] {
  const hooks: readonly Hook[] =
    way === 'in' ? ['xdp', 'tc', 'prerouting', 'input'] : [...(state === 'new' ? (['connect'] as const) : []), 'output', 'tc'];
  return hooks.map((hook) => ({ hook, way, bytes, state }));
}

/**
 * The interfaces of a packet as a hook sees them; undefined where it does not see the packet. Programs judge only at the interfaces that they are attached to: of one that is not known the worst is
 * assumed.
 */
function seenBy(hook: Hook, way: Way, name: string | undefined, { xdp, tc }: EbpfConfig): { iif?: string; oif?: string } | undefined {
  const on = (interfaceName: string | undefined): { iif?: string; oif?: string } =>
    interfaceName === undefined ? {} : way === 'in' ? { iif: interfaceName } : { oif: interfaceName };
  if (hook === 'connect') return {};
  if (hook !== 'xdp' && hook !== 'tc') return on(name);
  const attached = (hook === 'xdp' ? xdp?.interfaces : way === 'in' ? tc?.ingress : tc?.egress) ?? [];
  const found = attached.find((one) => name === undefined || one.name === name);
  return found && on(found.name);
}

/** The name of the rule that denies a packet, or that may: what a program of the user's says is not known. */
function denyingRule(rules: HookRules, seen: Packet, context: LockoutContext): string | undefined {
  try {
    const { verdict, rule } = judge(rules, seen, { lists: context.lists });
    return verdict === 'allow' ? undefined : (rule?.name ?? '');
  } catch (error) {
    if (error instanceof UnjudgeableError) return error.rule.name;
    throw error;
  }
}

function packet(source: Ip, destination: Ip, sourcePort: number, destinationPort: number, flags: number): Uint8Array {
  const description: PacketDescription = { source, destination, transport: { kind: 'tcp', sourcePort, destinationPort, flags } };
  return buildPacket(description);
}

/** The interface that has an address, as far as is known. */
function interfaceOf(address: Ip, netns: string | undefined): string | undefined {
  const all = netns === undefined ? networkInterfaces() : inNetworkNamespace(netns, networkInterfaces);
  const found = Object.entries(all).find(([, list]) =>
    list?.some((one) => {
      const ip = parseIp(one.address.split('%')[0] ?? '');
      return ip !== undefined && equalIp(ip, address);
    }),
  );
  return found?.[0];
}
