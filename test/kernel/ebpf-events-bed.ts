import { type BpfMap, CounterReader, RingBuffer } from '@weir/ebpf/kernel';
import { buildPacket, TCP_FLAGS } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { compileEbpf, EVENT_COUNT, EVENT_COUNTS, EVENTS, GENERATION } from '../../apps/weir/src/compile/ebpf/index.ts';
import { createMap, type LoadedHook, loadHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook, MapNeed } from '../../apps/weir/src/model/ebpf-program.ts';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import type { VerdictEvent } from '../../apps/weir/src/model/verdict-event.ts';
import { decodeVerdictEvent } from '../../apps/weir/src/model/verdict-event-codec.ts';
import { EVENT_OCTETS } from '../../apps/weir/src/model/verdict-event-layout.ts';

export function compiled(place: 'xdp' | 'tc', rules: readonly Rule[]): CompiledHook {
  const result = compileEbpf({ hook: place, priority: 0, rules }, { place });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

export interface EventBed {
  readonly loaded: LoadedHook;
  readonly ring: BpfMap;
  /** seen, sampled out, lost. */
  counts(index: number): readonly number[];
  /** What waits in the ring buffer: not while something else reads it. */
  read(): VerdictEvent[];
  close(): void;
}

/** The program of rules with a ring buffer of its own; its events are of generation 42. */
export function eventBed(place: 'xdp' | 'tc', rules: readonly Rule[], ringOctets: number = 1 << 20): EventBed {
  const open: { close(): void }[] = [];
  const provide = (need: MapNeed): BpfMap | undefined => {
    if (need.kind !== 'events') return undefined;
    const made = createMap({ ...need, shape: { ...need.shape, maxEntries: ringOctets } });
    open.push(made);
    return made;
  };
  const loaded = loadHook(compiled(place, rules), { name: 'weir_events', provide });
  open.push(loaded);
  const map = (symbol: string): BpfMap => {
    const found = loaded.maps.get(symbol);
    if (!found) throw new Error(symbol);
    return found;
  };
  map(GENERATION).update(new Uint8Array(4), Uint8Array.of(42, 0, 0, 0));
  let ring: RingBuffer | undefined;
  return {
    loaded,
    ring: map(EVENTS),
    counts: (index) =>
      [EVENT_COUNT.seen, EVENT_COUNT.sampledOut, EVENT_COUNT.lost].map((at) =>
        Number(new CounterReader(map(EVENT_COUNTS), index, at / 8).total()),
      ),
    read: () => {
      if (!ring) {
        ring = RingBuffer.open(map(EVENTS));
        open.push(ring);
      }
      const events: VerdictEvent[] = [];
      ring.read((bytes, at, length) => {
        if (length !== EVENT_OCTETS) throw new Error(`a record of ${length} octets`);
        const event = decodeVerdictEvent(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at);
        if (event) events.push(event);
      });
      return events;
    },
    close: () => {
      for (const one of open) one.close();
    },
  };
}

/** A TCP SYN to port 22, of 40 octets behind an Ethernet header. */
export const syn: Uint8Array = buildPacket({
  ethernet: {},
  source: parseIp('203.0.113.9')!,
  destination: parseIp('192.0.2.5')!,
  transport: { kind: 'tcp', sourcePort: 51_000, destinationPort: 22, flags: TCP_FLAGS.syn },
});
