import type { Config, Peer } from '../../model/config.ts';
import type { FeedConfig } from '../../model/feed.ts';
import type { FlowConfig } from '../../model/flow.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import type { Tenant } from '../../model/tenant.ts';

/** Rules that are named one by one. */
const SHOWN_RULES = 20;

/** What is different between two configurations, as short texts for a person; nothing when a reload would change nothing. */
export function describeChanges(before: Config, after: Config): readonly string[] {
  const out: string[] = [];
  const a = before.bgp;
  const b = after.bgp;
  if (!same(a.as, b.as)) out.push(`bgp.as ${a.as} -> ${b.as}`);
  if (!same(a.routerId, b.routerId)) out.push('bgp.router_id');
  if (!same(a.hostname, b.hostname)) out.push('bgp.hostname');
  if (!same(a.listen, b.listen)) out.push('bgp.listen');
  out.push(...differences('peer', a.peers, b.peers, withoutSpan));
  out.push(...scopeChanges(before, after));
  out.push(...tenantChanges(before.tenants, after.tenants));
  if (!same(bare(before.ebpf), bare(after.ebpf))) out.push('ebpf changed');
  out.push(...flowspecChanges(before.flowspec, after.flowspec));
  if (!same(bare(before.blackholes), bare(after.blackholes))) out.push('blackholes changed');
  if (!same(bare(before.distribute), bare(after.distribute))) out.push('distribute changed');
  out.push(...feedChanges(before.feeds ?? [], after.feeds ?? []));
  if (!same(before.observe, after.observe)) out.push('observe changed');
  if (!same(before.protected, after.protected)) out.push('protected');
  if (!same(before.convergence, after.convergence)) out.push('convergence');
  return out;
}

/** What becomes of members is part of it. */
function feedChanges(before: readonly FeedConfig[], after: readonly FeedConfig[]): readonly string[] {
  const leaving = before.filter(({ name, table }) => after.some((one) => one.name === name && one.table !== table));
  return [
    ...differences('feed', before, after, bare).map((text) => (text.endsWith(' removed') ? `${text}: its networks are taken out` : text)),
    ...leaving.map(({ name, table }) => `feed ${name}: its networks are taken out of the table ${table}`),
  ];
}

/** By key, with both values where they are short. */
function flowspecChanges(before: FlowConfig | undefined, after: FlowConfig | undefined): readonly string[] {
  if (!before || !after) return before === after ? [] : [`flowspec ${after ? 'added' : 'removed'}`];
  const [was, is] = [before, after].map((one) => new Map(Object.entries(one).map(([key, value]): [string, unknown] => [key, bare(value)])));
  const keys = new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])]);
  return [...keys].flatMap((key) => {
    const [a, b] = [was?.get(key), is?.get(key)];
    if (key === 'span' || same(a, b)) return [];
    const name = `flowspec.${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    return [typeof a === 'object' || typeof b === 'object' ? `${name} changed` : `${name} ${String(a)} -> ${String(b)}`];
  });
}

function scopeChanges(before: Scope, after: Scope): readonly string[] {
  const out = [...differences('set', before.sets, after.sets, ({ span: _, ...rest }) => rest)];
  if (!same(bare(before.firewall), bare(after.firewall))) {
    out.push(before.firewall === undefined ? 'firewall added' : after.firewall === undefined ? 'firewall removed' : 'firewall changed');
  }
  out.push(...policyChanges(before.policy, after.policy));
  return out;
}

type Scope = Pick<Config, 'sets' | 'firewall' | 'policy'>;

/** What is different inside of a tenant has its name before it. */
function tenantChanges(before: readonly Tenant[], after: readonly Tenant[]): readonly string[] {
  const both = differences('tenant', before, after, () => '');
  const inside = after.flatMap((tenant) => {
    const was = before.find((one) => one.name === tenant.name);
    if (!was) return [];
    const moved = was.netns === tenant.netns ? [] : [`netns ${was.netns} -> ${tenant.netns}`];
    return [...moved, ...scopeChanges(was, tenant)].map((line) => `tenant ${tenant.name}: ${line}`);
  });
  return [...both, ...inside];
}

/** Keys that only take effect when the daemon starts; changing them in a file that is reloaded is refused. */
export function fixedKeys(before: Config, after: Config): readonly string[] {
  return [
    ...(before.stateDirectory === after.stateDirectory ? [] : ['state_directory']),
    ...(before.socket === after.socket ? [] : ['socket']),
    ...(before.netns === after.netns ? [] : ['netns']),
    ...(before.ebpf.pinDirectory === after.ebpf.pinDirectory ? [] : ['ebpf.pin_directory']),
    ...(before.ebpf.eventBuffer === after.ebpf.eventBuffer ? [] : ['ebpf.event_buffer']),
  ];
}

/** Rules by name while they are few, else how many. */
function policyChanges(before: Policy | undefined, after: Policy | undefined): readonly string[] {
  if (before?.defaultAction !== after?.defaultAction && before && after) {
    const rest = policyChanges({ ...before, defaultAction: after.defaultAction }, after);
    return [`policy default ${before.defaultAction} -> ${after.defaultAction}`, ...rest];
  }
  if (before && after && !same(bare(before.defaultsAt ?? {}), bare(after.defaultsAt ?? {})))
    return ['policy defaults of single hooks changed', ...policyChanges({ ...before, defaultsAt: after.defaultsAt }, after)];
  const rules = differences('rule', before?.rules ?? [], after?.rules ?? [], ruleText);
  const both = before === undefined && after ? ['policy added'] : before && after === undefined ? ['policy removed'] : [];
  if (rules.length <= SHOWN_RULES) {
    const order = rules.length === 0 && before && after && !same(refs(before), refs(after)) ? ['order of the rules'] : [];
    return [...both, ...rules, ...order];
  }
  const kinds = ['added', 'changed', 'removed'].map((kind) => [kind, rules.filter((line) => line.endsWith(kind)).length] as const);
  return [...both, ...kinds.filter(([, count]) => count > 0).map(([kind, count]) => `${count} rules ${kind}`)];
}

function refs(policy: Policy): readonly string[] {
  return policy.rules.map((rule) => rule.ref);
}

/** What a rule does, without its place. */
function ruleText({ ref, hooks, priority, text, action, log, audit, enabled, until }: PolicyRule): unknown {
  return [ref, hooks, priority, text, action, log, audit, enabled, until];
}

function withoutSpan({ span: _, ...rest }: Peer): unknown {
  return rest;
}

function differences<T extends { readonly name: string }>(
  noun: string,
  before: readonly T[],
  after: readonly T[],
  compared: (item: T) => unknown,
): readonly string[] {
  const old = new Map(before.map((item) => [item.name, item]));
  const out: string[] = [];
  for (const item of after) {
    const was = old.get(item.name);
    if (!was) out.push(`${noun} ${item.name} added`);
    else if (!same(compared(was), compared(item))) out.push(`${noun} ${item.name} changed`);
    old.delete(item.name);
  }
  for (const name of old.keys()) out.push(`${noun} ${name} removed`);
  return out;
}

/** Without the places in the file: moving a line changes nothing. */
function bare(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'span' ? undefined : inner)));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
