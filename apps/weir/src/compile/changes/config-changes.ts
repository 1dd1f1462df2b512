import type { Config, Peer } from '../../model/config.ts';

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
  out.push(...differences('set', before.sets, after.sets, ({ span: _, ...rest }) => rest));
  if (!same(bare(before.firewall), bare(after.firewall))) {
    out.push(before.firewall === undefined ? 'firewall added' : after.firewall === undefined ? 'firewall removed' : 'firewall changed');
  }
  if (!same(before.protected, after.protected)) out.push('protected');
  if (!same(before.convergence, after.convergence)) out.push('convergence');
  return out;
}

/** Keys that only take effect when the daemon starts; changing them in a file that is reloaded is refused. */
export function fixedKeys(before: Config, after: Config): readonly string[] {
  return [
    ...(before.stateDirectory === after.stateDirectory ? [] : ['state_directory']),
    ...(before.socket === after.socket ? [] : ['socket']),
    ...(before.netns === after.netns ? [] : ['netns']),
  ];
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
