import { ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableImage } from '../../apps/weir/src/compile/nft/image.ts';
import { CompileMemo, compileRules } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import { planTable } from '../../apps/weir/src/reconcile/owned-table.ts';
import { Problems } from '../../apps/weir/src/reconcile/problems.ts';
import { TableKeeper } from '../../apps/weir/src/reconcile/table-keeper.ts';
import { type Host, Lab } from '../lab/index.ts';
import { Random, randomAction, randomExpression, randomRun, testRule } from './policy-rules.ts';

const address = { family: 'inet', table: 'weir' } as const;

/** `count` rules for a source and a port each; the `odd` one has another port. */
function policy(count: number, odd = -1): HookRules {
  const rules = Array.from({ length: count }, (_, i) => {
    const source = x.ip('ip.src', ipSet([{ first: ip4(0x0a000000 + i * 16), last: ip4(0x0a000000 + i * 16 + (i % 3 === 0 ? 7 : 0)) }]));
    const port = 1 + ((i * 37) % 2000);
    const ports = x.int('tcp.dstport', rangeSet([{ first: port, last: i === odd ? port + 1 : port }]));
    return testRule(`rule-${i}`, x.and([source, ports]), { kind: i % 2 === 0 ? 'deny' : 'allow' });
  });
  return { hook: 'prerouting', priority: 0, rules: [...rules, testRule('default', x.constant(true), { kind: 'deny' })] };
}

let lab: Lab;
let host: Host;
let backend: NftBackend;
let keeper: TableKeeper;
let reads = 0;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('change');
});
afterAll(async () => lab.dispose());

function open(ownership: boolean): void {
  backend = new NftBackend({ netns: host.path, ownership });
  const readTable = backend.readTable.bind(backend);
  backend.readTable = (of) => {
    reads++;
    return readTable(of);
  };
  keeper = new TableKeeper(backend, new Problems(() => undefined));
}

/** As the reconciler does: what others did first, then the difference. */
function settle(): number {
  const state = backend.poll(({ changes }) => {
    if (changes.some((change) => keeper.isAt(change.address))) keeper.touch();
  });
  if (state === 'lost') keeper.touch();
  const plan = keeper.plan(0);
  if (!plan) return 0;
  const operations = [...plan.prepare, ...plan.enforce];
  if (operations.length > 0) expect(backend.commit(operations)).toEqual({ kind: 'committed' });
  keeper.done(0);
  return operations.length;
}

function configure(image: TableImage): number {
  keeper.configure(image, undefined);
  return settle();
}

/** What reading the table finds to be done. */
function left(image: TableImage): number {
  const plan = planTable(address, image, backend.readTable(address), backend.ownership, (set) => backend.readMap({ ...address, set }));
  return plan.prepare.length + plan.enforce.length;
}

function compiled(hooks: readonly HookRules[], memo?: CompileMemo): TableImage {
  const { table, problems } = compileRules(hooks, [], { table: 'weir', memo });
  expect(problems).toEqual([]);
  return table;
}

describe('the table of the kernel, without reading it', () => {
  it('one rule of a thousand: few operations, no read, and the table is as it is when it is read', () => {
    open(true);
    const memo = new CompileMemo();
    configure(compiled([policy(1000)], memo));
    const before = reads;
    for (const odd of [3, 500, 998]) {
      const image = compiled([policy(1000, odd)], memo);
      expect(image).toEqual(compiled([policy(1000, odd)]));
      expect(configure(image)).toBeLessThan(40);
      expect(reads).toBe(before);
    }
    expect(left(compiled([policy(1000, 998)]))).toBe(0);
    backend.close();
  });

  it.each([1, 2, 3, 4])('random policies, one after another, each a few rules from the last (seed %i)', (seed) => {
    open(false);
    const random = new Random(seed);
    const memo = new CompileMemo();
    const rule = (name: string): HookRules['rules'][number] => testRule(name, randomExpression(random, 2), randomAction(random));
    let rules = [...randomRun(random, 'run', 120), ...Array.from({ length: 40 }, (_, i) => rule(`first-${i}`))];
    for (let i = 0; i < 12; i++) {
      rules = [...rules];
      const at = random.under(rules.length);
      rules.splice(at, random.under(3), ...Array.from({ length: random.under(3) }, (_, k) => rule(`r${i}-${k}`)));
      const image = compiled([{ hook: 'input', priority: 0, rules }], memo);
      configure(image);
      expect(left(image)).toBe(0);
    }
    backend.close();
  });

  it('what others do to it is noticed and put right', async () => {
    await host.nft('flush ruleset');
    open(false);
    const image = compiled([policy(200)]);
    configure(image);
    const [map] = image.lookups ?? [];
    const other = new NftBackend({ netns: host.path, ownership: false });
    const name = map?.name ?? '';
    const [entry] = other.readMap({ ...address, set: name });
    expect(entry).toBeDefined();
    const layout = map?.ranges ? ('boxes' as const) : ('values' as const);
    const others: readonly (() => Promise<unknown> | unknown)[] = [
      () => other.commit([{ kind: 'delete-entries', address: { ...address, set: name }, layout, entries: entry ? [entry] : [] }]),
      () => host.nft(`flush map inet weir ${name}`),
      () => host.nft('add chain inet weir theirs'),
      () => host.nft('flush chain inet weir prerouting'),
      () => host.nft('delete table inet weir'),
    ];
    for (const [i, change] of others.entries()) {
      await change();
      expect(left(image), String(i)).toBeGreaterThan(0);
      expect(settle(), String(i)).toBeGreaterThan(0);
      expect(left(image), String(i)).toBe(0);
    }
    other.close();
    // Elsewhere it is none of its business.
    await host.nft('add table inet theirs');
    const before = reads;
    expect(settle()).toBe(0);
    expect(configure(compiled([policy(200, 7)]))).toBeGreaterThan(0);
    expect(reads).toBe(before);
    backend.close();
  });
});
