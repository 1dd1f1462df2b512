import type { PortRange } from '../../model/firewall.ts';

/** In order and without overlap: the kernel refuses overlapping elements. */
export function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const out: { from: number; to: number }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = out[out.length - 1];
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else out.push({ from, to });
  }
  return out;
}
