import { Seen } from '../yaml/seen.ts';
import type { Item, Table } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawEbpf } from './raw.ts';

/** What can only be seen by looking at several keys of `ebpf:` together. */
export function checkEbpf(ebpf: Table<RawEbpf>, report: Report): void {
  const { xdp, tc } = ebpf.get;
  once(xdp?.get.interfaces ?? [], 'ebpf.xdp.interfaces', report);
  if (!tc) return;
  once(tc.get.ingress, 'ebpf.tc.ingress', report);
  once(tc.get.egress, 'ebpf.tc.egress', report);
  const named = tc.get.ingress.length + tc.get.egress.length > 0 || tc.has('ingress') || tc.has('egress');
  if (!named) report('E012', tc.label, 'ingress or egress is required: interfaces to attach to');
}

function once(interfaces: readonly Item<string>[], key: string, report: Report): void {
  const names = new Seen();
  for (const { value, place } of interfaces) {
    const first = names.add(value, place);
    if (first) report('E020', place, `${value} is already among ${key} ${first}`);
  }
}
