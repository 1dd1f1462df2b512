import type { Subject, Value } from '@weir/filter/eval';
import type { Packet } from '@weir/filter/packet';

/** A packet whose fields are read once, for long lists of rules. */
export class Remembered implements Subject {
  readonly packet: Packet;
  readonly #fields = new Map<string, Value | undefined>();

  constructor(packet: Packet) {
    this.packet = packet;
  }

  field(name: string): Value | undefined {
    const found = this.#fields.get(name);
    if (found !== undefined || this.#fields.has(name)) return found;
    const value = this.packet.field(name);
    this.#fields.set(name, value);
    return value;
  }

  slice(protocol: string, start: number, end: number): number | undefined {
    return this.packet.slice(protocol, start, end);
  }
}
