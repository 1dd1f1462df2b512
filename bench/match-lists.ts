// A list of addresses that stands in a policy: as a set of nf_tables, and as a map that an eBPF program inside the rule looks it up in. Cost a packet by packets through a veth pair.
import { ipSetOfPrefixes, packetExpr } from '@weir/filter/ir';
import { PacketSocket } from '@weir/sys';
import { type Family, prefixFromWords } from '@weir/wire/inet';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { testRule } from '../apps/weir/src/compile/test-rule.ts';
import { NftBackend } from '../apps/weir/src/kernel/nft/nft-backend.ts';
import type { MemberDelta } from '../apps/weir/src/model/member-delta.ts';
import type { HookRules } from '../apps/weir/src/model/rule.ts';
import { planTable } from '../apps/weir/src/reconcile/owned-table.ts';
import { Lab } from '../test/lab/index.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';
import { kernelMemory } from './load/kernel-sets.ts';
import { makeKeys, makeMembers } from './load/members.ts';
import { frames, lay, send } from './set-lookup.ts';

const ADDRESS = { family: 'inet', table: 'weir' } as const;
const KEYS = 1 << 12;

/** Everything is dropped; with a list first what is in it. */
function hook(members: MemberDelta | undefined): HookRules {
  const last = testRule('rest', packetExpr.constant(true), { kind: 'deny' });
  if (!members) return { hook: 'prerouting', priority: -300, rules: [last] };
  const { family, count, words, lengths } = members;
  const stride = family === 4 ? 1 : 4;
  const word = (i: number, at: number): number => (at < stride ? (words[i * stride + at] ?? 0) : 0);
  const prefixes = Array.from({ length: count }, (_, i) =>
    prefixFromWords(family, word(i, 0), word(i, 1), word(i, 2), word(i, 3), lengths[i] ?? 0),
  );
  const listed = packetExpr.ip('ip.src', ipSetOfPrefixes(prefixes));
  return { hook: 'prerouting', priority: -300, rules: [testRule('listed', listed, { kind: 'deny' }), last] };
}

interface Loaded {
  readonly compile: number;
  readonly load: number;
  readonly memory: number;
}

/** A namespace with a veth pair of its own. */
class Place {
  readonly socket: PacketSocket;
  readonly #backend: NftBackend;

  private constructor(netns: string) {
    this.socket = PacketSocket.open({ interface: 'tx0', netns });
    this.#backend = new NftBackend({ netns, ownership: false });
  }

  static async make(lab: Lab, name: string): Promise<Place> {
    return new Place((await lay(lab, name)).path);
  }

  /** Milliseconds to compile and to load, and MiB. */
  load(rules: HookRules, mostRanges: number): Loaded {
    const began = performance.now();
    const { table, problems } = compileRules([rules], [], { table: ADDRESS.table, mostRanges });
    if (problems[0]) throw new Error(problems[0].message);
    const compiled = performance.now();
    const before = kernelMemory();
    const { programs = [] } = table;
    const bindings = this.#backend.bindPrograms(ADDRESS, { programs, paths: [] }, () => undefined);
    const plan = planTable(ADDRESS, table, undefined, false, () => [], bindings);
    const outcome = this.#backend.commit([...plan.prepare, ...plan.enforce]);
    if (outcome.kind !== 'committed') throw new Error(`the kernel refuses it: ${JSON.stringify(outcome)}`);
    return { compile: compiled - began, load: performance.now() - compiled, memory: (kernelMemory() - before) / 2 ** 20 };
  }

  unload(): void {
    this.#backend.commit([{ kind: 'delete-table', address: ADDRESS }]);
  }

  close(): void {
    this.#backend.close();
    this.socket.close();
  }
}

/** Nanoseconds a packet of each, of the best of some rounds, in which they take turns: what else the machine does comes to all of them. */
function costs(places: readonly Place[], all: readonly Uint8Array[], rounds: number): readonly number[] {
  const best = places.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++)
    for (const [i, { socket }] of places.entries())
      best[i] = Math.min(best[i] ?? 0, send(socket, all, { rounds: 2, runs: 0, packets: all.length }));
  return best;
}

export const bench: Bench = {
  name: 'match-lists',
  summary:
    'a list of prefixes in a policy, as a set of nf_tables and as a map of an eBPF program inside the rule: nanoseconds a packet, milliseconds to load, MiB',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    const rows: Row[] = [];
    const places: Place[] = [];
    try {
      for (const name of ['empty', 'set', 'map']) places.push(await Place.make(lab, name));
      for (const family of [4, 6] satisfies readonly Family[])
        for (const count of smoke ? [300] : [64, 128, 256, 512, 1024, 4096, 16_384, 100_000]) {
          const members = makeMembers(family, 'prefixes', count);
          const all = frames(family, makeKeys(members, KEYS));
          const [, set, map] = places.map((place, i) =>
            place.load(hook(i === 0 ? undefined : members), i === 1 ? Number.POSITIVE_INFINITY : 0),
          );
          const [empty = 0, bySet = 0, byMap = 0] = costs(places, all, smoke ? 3 : 100);
          for (const place of places) place.unload();
          rows.push({
            family: `IPv${family}`,
            prefixes: count,
            'set ns': bySet - empty,
            'map ns': byMap - empty,
            times: (bySet - empty) / (byMap - empty),
            'set load ms': set?.load ?? 0,
            'map load ms': map?.load ?? 0,
            'set compile ms': set?.compile ?? 0,
            'map compile ms': map?.compile ?? 0,
            'set MiB': set?.memory ?? 0,
            'map MiB': map?.memory ?? 0,
          });
        }
    } finally {
      for (const place of places) place.close();
      await lab.dispose();
    }
    return rows;
  },
};
