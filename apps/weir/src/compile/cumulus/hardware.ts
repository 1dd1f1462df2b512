import type { Hook } from '@weir/filter/scheme';

/** What the ACLs of Cumulus Linux take into the hardware ("Supported Rule Types" of its documentation). */
const MODULES: ReadonlySet<string> = new Set(['tcp', 'udp', 'multiport', 'icmp', 'icmp6', 'ttl', 'hl', 'dscp', 'frag']);
const WILDCARDS: ReadonlySet<string> = new Set(['swp+', 'bond+']);

/** Why hardware does not do a line; undefined where it does. */
export function hardwareObstacle(hook: Hook, line: string): string | undefined {
  if (/(?:^| )! /.test(line)) return 'an inverse match, which hardware does not do';
  const module = [...line.matchAll(/ -m (\S+)/g)].map(([, name]) => name ?? '').find((name) => !MODULES.has(name));
  if (module !== undefined) return `-m ${module}, which hardware does not match on`;
  const [, target] = / -j (\S+)/.exec(line) ?? [];
  if (target !== 'ACCEPT' && target !== 'DROP') return `-j ${target}, which hardware does not do and go on`;
  const wild = [...line.matchAll(/--(?:in|out)-interface (\S+\+)/g)].map(([, name]) => name ?? '').find((name) => !WILDCARDS.has(name));
  if (wild !== undefined) return `the interfaces ${wild}: wildcards of hardware are swp+ and bond+`;
  if (hook === 'output' && /ports \S*:/.test(line)) return 'a range of ports on the way out, which hardware does not do';
  return undefined;
}
