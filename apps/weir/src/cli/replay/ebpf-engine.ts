import { missingCapabilities } from '@weir/ebpf/kernel';
import { Packet, type PacketContext } from '@weir/filter/packet';
import { type CompileEbpfOptions, compileEbpf, type Known, verdictsOnly } from '../../compile/ebpf/index.ts';
import { describeRefusal } from '../../compile/refusal.ts';
import { type LoadedHook, loadHook } from '../../kernel/ebpf/index.ts';
import type { CompiledHook } from '../../model/ebpf-program.ts';
import type { HookRules } from '../../model/rule.ts';
import { CliError, EXIT } from '../exit.ts';
import type { AtHook } from './at-hook.ts';
import type { Outcome } from './outcome.ts';

/** Octets of a packet that the kernel takes for a test run of a program for socket buffers: they have to fit into one page. */
const LONGEST = 3_500;
/** The least of a packet. */
const HEADERS = { 4: 20, 6: 40 } as const;
const ETHERNET = 14;
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd } as const;
/** What is the same for every packet of a replay. */
const FIELDS: ReadonlySet<string> = new Set([
  'ct.new',
  'ct.established',
  'ct.related',
  'ct.invalid',
  'iif.name',
  'oif.name',
  'process.uid',
  'cgroup.id',
]);

/** The program of a hook for packets with a context. CliError with what it cannot do. */
export function compileFor(hook: HookRules, context: PacketContext, options: Pick<CompileEbpfOptions, 'place' | 'tellRule'>): CompiledHook {
  const known: Known = { fields: FIELDS, subject: Packet.fromNetwork(new Uint8Array(0), context) };
  const result = compileEbpf(verdictsOnly(hook), { ...options, known });
  if ('compiled' in result) return result.compiled;
  throw new CliError(EXIT.finding, 'an eBPF program cannot do what the policy says', result.refusals.map(describeRefusal));
}

/** Judges packets by a program that the kernel verifies and runs over each of them (BPF_PROG_TEST_RUN): nothing is attached, no packet is sent. */
export class EbpfEngine {
  readonly #hook: HookRules;
  /** By the interfaces of the packets: nearly always one. Sets that routes fill are empty. */
  readonly #programs = new Map<string, LoadedHook>();
  readonly #frame = new Uint8Array(ETHERNET + LONGEST);

  /** `context` is what packets have. */
  constructor(hook: HookRules, context: PacketContext) {
    const missing = missingCapabilities(['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN']);
    if (missing.length > 0)
      throw new CliError(EXIT.unsupported, `to run programs in the kernel the process needs ${missing.join(', ')}: run it as root`);
    this.#hook = hook;
    this.#programFor(context);
  }

  /** What became of each packet, in order. */
  judge(packets: readonly AtHook[]): readonly Outcome[] {
    return packets.map((packet) => this.#judge(packet));
  }

  #judge({ packet, family }: AtHook): Outcome {
    const octets = packet.bytes.subarray(packet.headers.network);
    if (octets.length < HEADERS[family])
      return { kind: 'not-judged', reason: 'it is shorter than its header, which a test run does not take' };
    if (octets.length > LONGEST) return { kind: 'not-judged', reason: `it is longer than the ${LONGEST} octets of a test run` };
    const frame = this.#frame.subarray(0, ETHERNET + octets.length);
    frame[12] = ETHERTYPES[family] >> 8;
    frame[13] = ETHERTYPES[family] & 0xff;
    frame.set(octets, ETHERNET);
    const { result } = this.#programFor(packet.context).program.run({ data: frame, discard: true });
    const rule = this.#hook.rules[(result >>> 8) - 1];
    const dropped = rule?.action.kind === 'reject' ? 'reject' : 'deny';
    return { kind: 'judged', verdict: (result & 1) === 1 ? 'allow' : dropped, rule, state: packet.context.state };
  }

  #programFor(context: PacketContext): LoadedHook {
    const { iif, oif, state, uid, cgroup } = context;
    const key = JSON.stringify([iif, oif, state, uid, cgroup === undefined ? undefined : String(cgroup)]);
    let program = this.#programs.get(key);
    if (!program) {
      program = loadHook(compileFor(this.#hook, context, { place: this.#hook.hook === 'xdp' ? 'xdp' : 'tc', tellRule: true }), {
        name: 'weir_replay',
      });
      this.#programs.set(key, program);
    }
    return program;
  }

  /** Calling it again does nothing. */
  close(): void {
    for (const program of this.#programs.values()) program.close();
  }
}
