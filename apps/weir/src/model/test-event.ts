import { ip4 } from '@weir/wire/inet';
import type { VerdictEvent } from './verdict-event.ts';

/** A verdict event as tests need it: a denied SYN of SSH at XDP, and what is given. */
export function testEvent(more: Partial<VerdictEvent> = {}): VerdictEvent {
  return {
    time: 1n,
    from: 'ebpf',
    hook: 'xdp',
    rule: 0,
    generation: 1,
    scope: 0,
    verdict: 'deny',
    audit: false,
    length: 60,
    source: ip4(0xcb007109),
    destination: ip4(0xc0000205),
    protocol: 6,
    sourcePort: 51_000,
    destinationPort: 22,
    tcpFlags: 2,
    ...more,
  };
}
