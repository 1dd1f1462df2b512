import { type IpSet, ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { finishChecksum, sumWords } from '@weir/filter/packet';
import { PacketSocket } from '@weir/sys';
import { ip4 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableImage } from '../../apps/weir/src/compile/nft/image.ts';
import { type CompileOptions, compileRules } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../../apps/weir/src/compile/nft/print.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { NamedSet } from '../../apps/weir/src/model/named-set.ts';
import type { Action, HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { planTable } from '../../apps/weir/src/reconcile/owned-table.ts';
import { type Host, Lab } from '../lab/index.ts';
import { Random, randomAction, randomExpression, randomLiteral, randomRun, testRule } from './policy-rules.ts';

let lab: Lab;
let byNft: Host;
let byWeir: Host;
let backend: NftBackend;

beforeAll(async () => {
  lab = new Lab();
  byNft = await lab.host('nft');
  byWeir = await lab.host('weir');
  backend = new NftBackend({ netns: byWeir.path, ownership: false });
});
afterAll(async () => {
  backend.close();
  await lab.dispose();
});

const WEB = { name: 'web', target: { kind: 'owned' }, guard: { maxMembers: 1000 } } as unknown as NamedSet;
const address = { family: 'inet', table: 'weir' } as const;

function compiled(rules: readonly Rule[], more: Partial<HookRules> = {}, form: Pick<CompileOptions, 'maps'> = {}): TableImage {
  const all = [...rules, testRule('default', x.constant(true), { kind: 'deny' })];
  const { table, problems } = compileRules([{ hook: 'input', priority: 0, rules: all, ...more }], [WEB], { table: 'weir', ...form });
  expect(problems).toEqual([]);
  // What nf_tables cannot say by itself is a program, which nft has no words for.
  const asking = table.chains.flatMap((chain) => chain.rules.filter(({ matches }) => matches.some(({ kind }) => kind === 'program')));
  if (asking.length === 0) return table;
  const names = new Set(asking.map(({ name }) => name));
  return compiled(
    rules.filter(({ name }) => !names.has(name)),
    more,
    form,
  );
}

/** Brings the kernel's table to the image, as the daemon does. */
function write(image: TableImage): number {
  const plan = planTable(address, image, backend.readTable(address), false, (set) => backend.readMap({ ...address, set }));
  const operations = [...plan.prepare, ...plan.enforce];
  if (operations.length > 0) {
    const outcome = backend.commit(operations);
    expect(outcome.kind === 'refused' ? outcome.refusals.map((r) => [r, operations[r.operation ?? 0]]) : []).toEqual([]);
  }
  return operations.length;
}

/** What `nft -j` lists, without the handles: objects by their kind and name, rules in the order of their chain; elements of a map of several fields have no order. */
async function listed(host: Host): Promise<Record<string, unknown>> {
  const out: Record<string, unknown[]> = {};
  for (const object of await host.nftJson()) {
    const [kind, value] = Object.entries(object)[0] as [string, Record<string, unknown>];
    const { handle: _, ...rest } = value;
    const { elem } = rest;
    if (Array.isArray(elem)) rest['elem'] = elem.map((one) => JSON.stringify(one)).sort();
    const key = kind === 'rule' ? `rules of ${rest['chain']}` : `${kind} ${rest['name']}`;
    out[key] = [...(out[key] ?? []), rest];
  }
  return out;
}

async function expectSame(image: TableImage): Promise<void> {
  await byNft.nft('flush ruleset');
  await byNft.nft(printTable(image));
  write(image);
  expect(await listed(byWeir)).toEqual(await listed(byNft));
  // Written once, it is as it should be.
  expect(write(image)).toBe(0);
}

describe('what is printed, loaded by nft, is what Weir writes', () => {
  it.each([1, 2, 3])('every kind of literal (seed %i)', async (seed) => {
    const random = new Random(seed);
    const rules = Array.from({ length: 300 }, (_, i) => {
      const literal = randomLiteral(random, ['web']);
      return testRule(`l${i}`, random.chance(40) ? x.not(literal) : literal, { kind: 'allow' });
    });
    await expectSame(compiled(rules));
  });

  it.each([11, 12, 13])('expressions and actions (seed %i)', async (seed) => {
    const random = new Random(seed);
    const rules = Array.from({ length: 100 }, (_, i) =>
      testRule(`e${i}`, randomExpression(random, 2, ['web']), randomAction(random), { log: random.chance(20), audit: random.chance(20) }),
    );
    await expectSame(
      compiled(rules, { hook: random.pick(['input', 'forward', 'prerouting'] as const), priority: random.pick([0, -150, 10]) }),
    );
  });
});

function networkRule(i: number): Rule {
  const first = ip4(0x0a000000 + i * 256);
  const test = x.and([
    x.ip('ip.dst', ipSet([{ first, last: ip4(first.w0 + 255) }])),
    x.int('udp.dstport', rangeSet([{ first: i, last: 1000 }])),
  ]);
  return testRule(`n${i}`, test, { kind: 'allow' });
}

/** Rules over hosts and ports, as long lists have them. */
function hostRules(count: number): Rule[] {
  return Array.from({ length: count }, (_, i) => {
    const source = ip4(0x0a000000 + i * 3);
    const port = 1 + (i % 50);
    const test = x.and([x.ip('ip.src', ipSet([{ first: source }])), x.int('tcp.dstport', rangeSet([{ first: port, last: port }]))]);
    return testRule(`h${i}`, test, i % 2 === 0 ? { kind: 'allow' } : { kind: 'deny' });
  });
}

describe('what flow rules do', () => {
  it('codepoints and rates list as they are printed', async () => {
    const random = new Random(7);
    const actions: readonly Action[] = [0, 10, 63].flatMap((dscp): Action[] => [
      { kind: 'dscp', dscp },
      { kind: 'police', limit: { unit: 'bytes', rate: 1000 + dscp, burst: 2000, per: 'rule' } },
      { kind: 'police', limit: { unit: 'packets', rate: 10 + dscp, burst: 20, per: 'rule' } },
    ]);
    const rules = actions.flatMap((action, i) =>
      [{}, { log: true }, { audit: true }].map((more, k) => testRule(`f${i}-${k}`, randomExpression(random, 0), action, more)),
    );
    await expectSame(compiled(rules));
  });
});

describe('long lists', () => {
  it('are maps and chains that list as they are printed', async () => {
    const random = new Random(21);
    const mixed = Array.from({ length: 150 }, (_, i) => testRule(`m${i}`, randomExpression(random, 1, ['web']), randomAction(random)));
    const tree = compiled([...hostRules(600), ...mixed], {}, { maps: false });
    expect(tree.maps?.length).toBeGreaterThan(0);
    await expectSame(tree);
    const image = compiled([...hostRules(600), ...mixed]);
    expect(image.lookups?.length).toBeGreaterThan(0);
    await expectSame(image);
  });

  it.each([41, 42, 43])(
    'runs of rules over the same fields list as they are printed, after every change of some of them (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      let rules: readonly Rule[] = Array.from({ length: 6 }, (_, i) => randomRun(random, `s${i}`, 10 + random.under(30))).flat();
      let lookups = 0;
      for (let step = 0; step < 4; step++) {
        const image = compiled(rules);
        lookups += image.lookups?.length ?? 0;
        await expectSame(image);
        const from = random.under(rules.length);
        rules = [...rules.slice(0, from), ...randomRun(random, `n${step}`, random.under(12)), ...rules.slice(from + random.under(20))];
      }
      expect(lookups).toBeGreaterThan(10);
    },
  );

  it('one rule more of a map of ranges is one element', async () => {
    const rules = Array.from({ length: 300 }, (_, i) => networkRule(i));
    await expectSame(compiled(rules));
    const changed = compiled([...rules.slice(0, 100), networkRule(300), ...rules.slice(100)]);
    // Its chain, the rule in it and the element.
    expect(write(changed)).toBe(3);
    await byNft.nft('flush ruleset');
    await byNft.nft(printTable(changed));
    expect(await listed(byWeir)).toEqual(await listed(byNft));
    expect(write(compiled(rules))).toBe(3);
  });

  it('one rule more or less is a small transaction, and ends with the same table', async () => {
    const rules = hostRules(2000);
    const odd = testRule('odd', x.ip('ip.src', ipSet([{ first: ip4(0x0a000bb9) }])), { kind: 'deny' });
    await expectSame(compiled(rules));
    const changed = compiled([...rules.slice(0, 700), odd, ...rules.slice(700)]);
    const steps = write(changed);
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(60);
    await byNft.nft('flush ruleset');
    await byNft.nft(printTable(changed));
    expect(await listed(byWeir)).toEqual(await listed(byNft));
    expect(write(compiled(rules))).toBeLessThan(60);
    expect(write(compiled(rules))).toBe(0);
    // To something else altogether, and away.
    await expectSame(compiled([odd]));
  });

  it('count real packets as the same rules one by one do', async () => {
    const random = new Random(31);
    const host = await lab.host('packets');
    await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
    await host.ip('link', 'set', 'rx0', 'address', '02:00:00:00:00:02');
    for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
    const port = (): number => 1 + random.under(40);
    const net = (): IpSet => {
      const [first, size] = [random.under(2 ** 12), random.pick([1, 1, 4, 16, 256])];
      const from = 0x0a000000 + first - (first % size);
      return ipSet([{ first: ip4(from), last: ip4(from + size - 1) }]);
    };
    const rules = Array.from({ length: 400 }, (_, i) => {
      const tests = [
        ...(random.chance(96) ? [x.ip('ip.src', net())] : []),
        ...(random.chance(30) ? [x.ip('ip.dst', net())] : []),
        ...(random.chance(70)
          ? [x.int(random.pick(['tcp.dstport', 'udp.dstport']), rangeSet([{ first: port(), last: 40 + random.under(10) }]))]
          : []),
      ];
      const log = random.chance(15);
      return testRule(
        `p${i}`,
        x.and(tests.length > 0 ? tests : [x.bytes('ip.proto', [new TextEncoder().encode('gre')])]),
        log ? { kind: 'mark', mark: i } : { kind: 'deny' },
      );
    });
    const frames = Array.from({ length: 3000 }, () =>
      frame(0x0a000000 + random.under(2 ** 12), 0x0a000000 + random.under(2 ** 12), random.chance(50), random.under(50)),
    );
    const socket = PacketSocket.open({ interface: 'tx0', netns: host.path });
    const counts: Record<string, number>[] = [];
    try {
      for (const form of ['one by one', 'tree', 'maps'] as const) {
        const hooks = [
          { hook: 'prerouting', priority: 0, rules: [...rules, testRule('default', x.constant(true), { kind: 'deny' })] } as const,
        ];
        const how = { linear: form === 'one by one', ...(form === 'tree' ? { maps: false } : {}) } as const;
        const { table } = compileRules(hooks, [], { table: 'weir', ...how });
        expect((table.lookups ?? table.maps) !== undefined).toBe(form !== 'one by one');
        if (form === 'tree') expect(table.lookups).toBeUndefined();
        await host.nft(printTable(table));
        for (let sent = 0; sent < frames.length; ) sent += socket.send(frames.slice(sent, sent + 100));
        const reader = new NftBackend({ netns: host.path, ownership: false });
        try {
          const sums: Record<string, number> = {};
          for (const chain of reader.readTable(address)?.chains ?? []) {
            for (const { name, packets } of chain.rules) if (packets > 0) sums[name] = (sums[name] ?? 0) + packets;
          }
          // The kernel's own packets, for neighbours and groups, come here too.
          delete sums['rule default'];
          counts.push(sums);
        } finally {
          reader.close();
        }
      }
    } finally {
      socket.close();
    }
    expect(Object.keys(counts[0] ?? {}).length).toBeGreaterThan(60);
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[2]).toEqual(counts[0]);
  });
});

/** An Ethernet frame with a UDP or TCP packet. */
function frame(source: number, destination: number, tcp: boolean, port: number): Uint8Array {
  const length = 20 + (tcp ? 20 : 8);
  const out = new Uint8Array(Math.max(60, 14 + length));
  const view = new DataView(out.buffer);
  out.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
  view.setUint16(16, length);
  view.setUint16(22, 64 * 256 + (tcp ? 6 : 17));
  view.setUint32(26, source);
  view.setUint32(30, destination);
  view.setUint16(24, finishChecksum(sumWords(out.subarray(14, 34))));
  view.setUint16(34, 40_000);
  view.setUint16(36, port);
  if (tcp) view.setUint16(46, 0x5002);
  else view.setUint16(38, 8);
  return out;
}
