import { NftClient } from '@weir/netlink/nftables';
import type { Verdict } from '../../compile/interpreter/index.ts';
import { NftBackend } from '../../kernel/nft/nft-backend.ts';
import { type BedOptions, MAX_SHOTS, ReplayBed, type Sight } from '../../kernel/replay/index.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { planTable } from '../../reconcile/owned-table.ts';
import { CliError, EXIT } from '../exit.ts';
import type { AtHook } from './at-hook.ts';
import { type CompiledHook, REPLAY_TABLE } from './compile-hook.ts';
import type { Outcome } from './outcome.ts';

const ADDRESS = { family: 'inet', table: REPLAY_TABLE } as const;

export type KernelEngineOptions = Pick<BedOptions, 'hook' | 'iif' | 'oif'>;

/** Judges packets by sending them through the kernel, in a namespace that goes with it. Throws KernelError and SystemError. */
export class KernelEngine {
  readonly #bed: ReplayBed;
  readonly #backend: NftBackend;
  /** By the handle of what gives its verdict. */
  readonly #rules: ReadonlyMap<number, Rule>;

  constructor(hook: HookRules, { table, tracks }: CompiledHook, options: KernelEngineOptions) {
    this.#bed = new ReplayBed({ ...options, priority: hook.priority, states: tracks });
    try {
      this.#backend = new NftBackend({ netns: this.#bed.netns, ownership: false });
    } catch (error) {
      this.#bed.close();
      throw error;
    }
    try {
      const { prepare, enforce } = planTable(ADDRESS, table, undefined, false);
      const outcome = this.#backend.commit([...prepare, ...enforce]);
      // The rules hold the programs that they ask.
      this.#backend.keepPrograms(ADDRESS, new Set());
      if (outcome.kind === 'refused')
        throw new CliError(
          EXIT.error,
          'the kernel refuses the compiled rules',
          outcome.refusals.map((one) => `${one.code}: ${one.message}`),
        );
      if (outcome.kind === 'unknown') throw new CliError(EXIT.error, 'the kernel has not answered whether it takes the compiled rules');
      this.#rules = rulesByHandle(this.#bed.netns, hook);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** What became of each packet, in order. */
  judge(packets: readonly AtHook[]): readonly Outcome[] {
    const out: Outcome[] = [];
    for (let from = 0; from < packets.length; ) {
      let to = from;
      // A packet in fragments is several to the kernel.
      for (let frames = 0; to < packets.length; to++) {
        frames += packets[to]?.sent.length ?? 0;
        if (frames > MAX_SHOTS && to > from) break;
      }
      const part = packets.slice(from, to);
      const sights = this.#bed.send(
        part.map(({ family, sent }) => ({ family, packets: sent })),
        (index) => part[index]?.obstacle === undefined,
      );
      for (const [i, packet] of part.entries()) out.push(this.#outcome(sights[i], packet));
      from = to;
    }
    return out;
  }

  #outcome(sight: Sight | undefined, packet: AtHook): Outcome {
    if (sight?.kind !== 'judged') {
      const said = sight?.code === undefined ? 'it did not come to the hook' : `the kernel does not send it: ${sight.code}`;
      return { kind: 'not-judged', reason: packet.obstacle ?? said };
    }
    const rule = sight.rule === undefined ? undefined : this.#rules.get(sight.rule);
    const dropped: Verdict = rule?.action.kind === 'reject' ? 'reject' : 'deny';
    return { kind: 'judged', verdict: sight.verdict === 'accept' ? 'allow' : dropped, rule, state: sight.state };
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#backend.close();
    this.#bed.close();
  }
}

function rulesByHandle(netns: string, { rules }: HookRules): ReadonlyMap<number, Rule> {
  const client = new NftClient({ netns });
  try {
    const out = new Map<number, Rule>();
    for (const { handle, comment = '' } of client.rules(ADDRESS)) {
      const rule = /^\d+$/.test(comment) ? rules[Number(comment)] : undefined;
      if (rule) out.set(Number(handle), rule);
    }
    return out;
  } finally {
    client.close();
  }
}
