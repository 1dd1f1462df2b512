import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import type { KernelPlan } from '../compile/nft/targets.ts';
import { FakeKernel, type FakeRuleset } from '../kernel/fake/index.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import { Reconciler } from './reconciler.ts';

const TABLE = { family: 'inet', table: 'weir' } as const;

function plan(set: string): KernelPlan {
  const [hosts, networks] = [`${set}_v4`, `${set}_v4_net`];
  return {
    targets: [{ key: `owned ${hosts}`, set, family: 4, cut: false, place: { kind: 'owned', table: 'weir', hosts, networks } }],
    table: {
      name: 'weir',
      sets: [
        { name: hosts, family: 4, interval: false, size: 65_536, comment: set },
        { name: networks, family: 4, interval: true, size: undefined, comment: set },
      ],
      chains: [
        {
          name: 'input',
          hook: 'input',
          rules: [
            {
              name: `allow ${set}`,
              matches: [{ kind: 'member', family: 4, side: 'destination', set: hosts }],
              verdict: { kind: 'accept' },
            },
            {
              name: `allow ${set}`,
              matches: [{ kind: 'member', family: 4, side: 'destination', set: networks }],
              verdict: { kind: 'accept' },
            },
            { name: 'default', matches: [], verdict: { kind: 'drop' } },
          ],
        },
      ],
    },
  };
}

function whole(set: string, count: number): MemberDelta {
  const words = Uint32Array.from({ length: count + 1 }, (_, i) =>
    i < count ? prefix('203.0.113.0/32').w0 + 2 * i : prefix('192.0.2.0/24').w0,
  );
  const lengths = new Uint8Array(count + 1).fill(32);
  lengths[count] = 24;
  return { set, family: 4, complete: true, count: count + 1, words, lengths, wanted: new Uint8Array(count + 1).fill(1), oldest: 0 };
}

/** How many members the rules in force let in; 0 where nothing judges. */
function open(ruleset: FakeRuleset): number {
  let members = 0;
  for (const { expressions } of ruleset.tables.get('inet weir')?.chains.get('input')?.rules ?? []) {
    for (const one of expressions) if (one.kind === 'lookup') members += ruleset.set({ ...TABLE, set: one.set })?.elements.size ?? 0;
  }
  return members;
}

test.each([
  { name: 'in one transaction', count: 3, most: false },
  { name: 'in several, when the kernel takes no more at once', count: 2500, most: true },
])('a set of the owned table that is renamed never lets in less: $name', ({ count, most }) => {
  const seen: number[] = [];
  const kernel = new FakeKernel({ ownership: true, observe: ({ after }) => seen.push(open(after)) });
  const stateDirectory = mkdtempSync(join(tmpdir(), 'weir-renaming-'));
  let now = 0;
  const reconciler = new Reconciler({ backend: kernel.open(), stateDirectory, emit: () => undefined, now: () => now });
  reconciler.configure(plan('web'));
  reconciler.apply([whole('web', count)]);
  expect(seen.at(-1)).toBe(count + 1);
  seen.length = 0;
  reconciler.configure(plan('front'));
  // The members have not come yet: the old rules go on.
  expect(seen).toEqual([]);
  // Twice: half as much is tried, then a quarter.
  if (most) for (let i = 0; i < 2; i++) kernel.fail({ kind: 'refuse', code: 'EMSGSIZE', operation: undefined });
  expect(reconciler.apply([whole('front', count)]).ok).toBe(true);
  expect(seen.every((members) => members === count + 1)).toBe(true);
  expect(seen.length > 1).toBe(most);
  expect([...(kernel.ruleset.tables.get('inet weir')?.sets.keys() ?? [])]).toEqual(['front_v4', 'front_v4_net']);
  // Where the members do not come the change does not wait for ever.
  reconciler.configure(plan('third'));
  now += 2000;
  reconciler.poll();
  expect(seen.at(-1)).toBe(0);
  reconciler.close();
});
