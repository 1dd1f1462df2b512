import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePrefix, covers, isHost, type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelPlan } from '../../apps/weir/src/compile/nft/targets.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { KernelEvent } from '../../apps/weir/src/model/kernel-port.ts';
import { Reconciler } from '../../apps/weir/src/reconcile/reconciler.ts';
import { type Host, Lab } from '../lab/index.ts';

const UNIVERSE = [
  '203.0.113.0/24',
  '203.0.113.64/26',
  '203.0.113.96/27',
  '203.0.113.126/32',
  '203.0.113.127/32',
  '203.0.113.64/32',
  '203.0.113.128/25',
  '203.0.113.128/32',
  '203.0.113.255/32',
  '192.0.2.8/29',
  '192.0.2.15/32',
  '192.0.2.16/32',
  '0.0.0.0/8',
  '255.255.255.255/32',
].map(prefix);

const plan: KernelPlan = {
  targets: [{ key: 'k', set: 'web', family: 4, cut: false, place: { kind: 'user', family: 'inet', table: 't', set: 's' } }],
  table: undefined,
};

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('random');
});
afterAll(() => lab.dispose());

/** The wanted prefixes that no other wanted one covers. */
function widest(wanted: ReadonlySet<number>): string[] {
  const own = [...wanted].map((i) => UNIVERSE[i] as Prefix);
  return own
    .filter((p) => !own.some((q) => q !== p && covers(q, p)))
    .sort(comparePrefix)
    .map(printPrefix);
}

describe('random changes of an interval set', () => {
  it.each([true, false])(
    'the kernel has the widest of the wanted prefixes after every commit (interval: %s)',
    async (interval) => {
      const step = fc.array(fc.tuple(fc.nat(UNIVERSE.length - 1), fc.boolean()), { minLength: 1, maxLength: 5 });
      const run = async (steps: [number, boolean][][]): Promise<void> => {
        await host.nft(`flush ruleset\ntable inet t {\nset s {\ntype ipv4_addr\n${interval ? 'flags interval' : ''}\n}\n}`);
        const directory = mkdtempSync(join(tmpdir(), 'weir-random-'));
        const events: KernelEvent[] = [];
        const backend = new NftBackend({ netns: host.path });
        const reconciler = new Reconciler({
          backend,
          stateDirectory: directory,
          emit: (e) => events.push(e),
          now: () => performance.now(),
        });
        try {
          reconciler.configure(plan);
          const wanted = new Set<number>();
          for (const changes of steps) {
            const net = new Map(changes);
            for (const [i, on] of net) on ? wanted.add(i) : wanted.delete(i);
            reconciler.apply([
              {
                set: 'web',
                family: 4,
                complete: false,
                count: net.size,
                words: Uint32Array.from(net.keys(), (i) => (UNIVERSE[i] as Prefix).w0),
                lengths: Uint8Array.from(net.keys(), (i) => (UNIVERSE[i] as Prefix).length),
                wanted: Uint8Array.from(net.values(), Number),
                oldest: 0,
              },
            ]);
            const { ranges } = backend.readElements(backend.readSet({ family: 'inet', table: 't', set: 's' })!);
            const have = new Set<string>();
            for (let i = 0; i < ranges.count; i++) have.add(`${ranges.firsts[i]}-${ranges.lasts[i]}`);
            const want = interval
              ? widest(wanted)
              : [...wanted]
                  .map((i) => UNIVERSE[i] as Prefix)
                  .filter(isHost)
                  .map(printPrefix);
            const ends = want.map((text) => {
              const p = prefix(text);
              return `${p.w0}-${p.w0 + 2 ** (32 - p.length) - 1}`;
            });
            expect({
              have: [...have].sort(),
              problems: reconciler.status().problems.filter((p) => p.kind !== 'conflict' || interval),
            }).toEqual({ have: ends.sort(), problems: [] });
          }
        } finally {
          reconciler.close();
          rmSync(directory, { recursive: true, force: true });
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), run), { numRuns: 150, endOnFailure: false });
    },
    60_000,
  );
});
