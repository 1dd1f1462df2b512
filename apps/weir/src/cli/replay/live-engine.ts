import type { PacketContext } from '@weir/filter/packet';
import { COUNTERS } from '../../compile/ebpf/index.ts';
import { type LoadedHook, loadHook } from '../../kernel/ebpf/index.ts';
import { ProgramBed } from '../../kernel/replay/index.ts';
import type { HookRules } from '../../model/rule.ts';
import type { AtHook } from './at-hook.ts';
import { compileFor } from './ebpf-engine.ts';
import type { Outcome } from './outcome.ts';

/** Judges packets by a program that is attached to an interface, in a network namespace of its own: each packet is really sent, and it is seen whether it comes out behind the program. */
export class LiveEngine {
  readonly #hook: HookRules;
  readonly #loaded: LoadedHook;
  readonly #bed: ProgramBed;

  /** `context` is what packets have: they come in by its interface. */
  constructor(hook: HookRules, context: PacketContext, interfaces: { readonly iif: string; readonly oif: string }) {
    this.#hook = hook;
    const place = hook.hook === 'xdp' ? 'xdp' : 'tc';
    this.#loaded = loadHook(compileFor(hook, context, { place }), { name: 'weir_replay' });
    try {
      const counters = this.#loaded.maps.get(COUNTERS);
      if (!counters) throw new Error('a program without counters');
      this.#bed = new ProgramBed({ ...interfaces, place, program: this.#loaded.program, counters });
    } catch (error) {
      this.#loaded.close();
      throw error;
    }
  }

  /** What became of each packet, in order. */
  judge(packets: readonly AtHook[]): readonly Outcome[] {
    return packets.map((packet) => this.#judge(packet));
  }

  #judge({ packet, family }: AtHook): Outcome {
    const octets = packet.bytes.subarray(packet.headers.network);
    if (octets.length === 0) return { kind: 'not-judged', reason: 'it is empty' };
    const { rule: index, passed } = this.#bed.send(family, octets);
    const rule = this.#hook.rules[index];
    const dropped = rule?.action.kind === 'reject' ? 'reject' : 'deny';
    return { kind: 'judged', verdict: passed ? 'allow' : dropped, rule, state: packet.context.state };
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#bed.close();
    this.#loaded.close();
  }
}
