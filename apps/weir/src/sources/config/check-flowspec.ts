import { Seen } from '../yaml/seen.ts';
import { quote, type Table } from '../yaml/shape.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import { buildRouting } from './build-flowspec.ts';
import type { RawFile, RawPeer } from './raw.ts';
import type { RawFlowspec } from './raw-flowspec.ts';

/** What can only be seen by looking at `flowspec:` and the rest of the file together. */
export function checkFlowspec(flowspec: Table<RawFlowspec>, { bgp, ebpf }: Pick<RawFile, 'bgp' | 'ebpf'>, report: Report): void {
  const { guards, redirects, announce, at } = flowspec.get;
  const peers = new Map(
    (bgp?.get.peers ?? []).flatMap(({ value }) => (value.get.name === undefined ? [] : [[value.get.name, value] as const])),
  );
  const guarded = new Seen();
  for (const { value } of guards) {
    for (const { value: name, place } of value.get.peers ?? []) {
      const peer = peers.get(name);
      if (!peer) report('E023', place, `there is no peer ${quote(name)}`, suggest(name, [...peers.keys()]));
      const first = guarded.add(name, place);
      if (first) report('E020', place, `${name} already has a guard ${first}`);
      if (peer && !hasFlows(peer)) report('E026', place, `no flow rules come from ${name}`, FAMILY_HINT);
    }
  }
  for (const { value: name, place } of announce?.get.peers ?? []) {
    if (!peers.has(name)) report('E023', place, `there is no peer ${quote(name)}`, suggest(name, [...peers.keys()]));
    else if (!hasFlows(peers.get(name))) report('E026', place, `${name} hears no flow rules`, FAMILY_HINT);
  }
  const targets = new Seen();
  for (const { value } of redirects) {
    const { target } = value.get;
    const first = target === undefined ? undefined : targets.add(target, value.place('target'));
    if (first) report('E020', value.place('target'), `${target} is already redirected ${first}`);
  }
  checkRouting(flowspec, report);
  const attached = at === 'xdp' ? ebpf?.get.xdp : at === 'tc' ? ebpf?.get.tc : true;
  if (!attached) report('E012', flowspec.place('at'), `ebpf.${at} is required: the interfaces whose packets flow rules judge`);
  const redirecting = guards.flatMap(({ value }) => value.get.actions).find(({ value }) => value === 'redirect');
  if (at === 'tc' && redirecting && ebpf?.get.tc?.get.ingress.length === 0)
    report(
      'E026',
      redirecting.place,
      'packets that leave are routed already: ebpf.tc.ingress names no interface at which they can be redirected',
    );
}

/** Marks and tables of redirects to addresses are nobody else's. */
function checkRouting(flowspec: Table<RawFlowspec>, report: Report): void {
  const { redirects, first_mark: firstMark, routing } = flowspec.get;
  const { firstMark: mark, firstTable, most } = buildRouting(routing);
  const place = routing ? routing.place('first_mark') : flowspec.place('first_mark');
  if (firstMark < mark + most && mark < firstMark + redirects.length)
    report(
      'E026',
      place,
      `the marks of redirects to addresses, from ${hex(mark)} on, are those of flowspec.redirects, from ${hex(firstMark)} on`,
    );
  if (mark + most - 1 > 0xffff_ffff || firstTable + most - 1 > 0xffff_ffff)
    report('E010', place, `there are no ${most} marks and tables from there on`);
  for (const { value } of redirects) {
    const { table } = value.get;
    if (table !== undefined && table >= firstTable && table < firstTable + most)
      report(
        'E026',
        value.place('table'),
        `table ${table} is one of those of redirects to addresses, ${firstTable} to ${firstTable + most - 1}`,
      );
  }
}

function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}

const FAMILY_HINT = 'add ipv4 flow or ipv6 flow to its families';

function hasFlows(peer: Table<RawPeer> | undefined): boolean {
  return peer?.get.families.some(({ value }) => value === 'ipv4 flow' || value === 'ipv6 flow') ?? false;
}
