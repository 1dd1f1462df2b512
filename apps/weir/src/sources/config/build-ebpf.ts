import { DEFAULT_EBPF, type EbpfConfig, type NamedInterface } from '../../model/ebpf.ts';
import type { Item } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { RawEbpf } from './raw.ts';

/** Where eBPF hooks are attached, with every default filled in. What could not be used is left out: that was reported where it was read. */
export function buildEbpf(raw: RawEbpf | undefined): EbpfConfig {
  if (!raw) return DEFAULT_EBPF;
  const { xdp, tc, connect } = raw;
  return {
    xdp: xdp?.get.interfaces && { interfaces: xdp.get.interfaces.map(named), mode: xdp.get.mode, onExit: xdp.get.on_exit },
    tc: tc && { ingress: tc.get.ingress.map(named), egress: tc.get.egress.map(named), onExit: tc.get.on_exit },
    connect: connect && { cgroup: connect.get.cgroup, onExit: connect.get.on_exit, span: spanOf(connect.place('cgroup')) },
    pinDirectory: raw.pin_directory,
    eventBuffer: raw.event_buffer,
  };
}

function named({ value, place }: Item<string>): NamedInterface {
  return { name: value, span: spanOf(place) };
}
