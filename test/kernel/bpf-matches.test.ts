import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listPrograms, PinDirectory } from '@weir/ebpf/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import { restoreImage } from '../../apps/weir/src/reconcile/index.ts';
import type { Reconciler } from '../../apps/weir/src/reconcile/reconciler.ts';
import type { Host } from '../lab/index.ts';
import { MatchBed } from './bpf-match-bed.ts';
import { compileC, ENDS_WITH_X, UNCHECKED } from './c-program.ts';
import { keep, load, returning } from './ebpf-bed.ts';

let bed: MatchBed;
let inside: Host;
let directory: string;
let mounted: string;

beforeEach(async () => {
  bed = await MatchBed.create();
  ({ inside, directory, mounted } = bed);
});
afterEach(() => bed.dispose());

const start = (): Reconciler => bed.start();
const end = (reconciler: Reconciler): void => bed.end(reconciler);
const configure = (...of: Parameters<MatchBed['configure']>): readonly string[] => bed.configure(...of);
const pinned = (): readonly string[] => bed.pinned();
const gets = (text: string): Promise<boolean> => bed.gets(text);
const table = (): Promise<string> => bed.table();
const loaded = (): readonly number[] => bed.loaded();
const endsWith = (text: string): string => `expression: 'ends_with(udp.payload, "${text}")'`;

describe('programs that rules ask', () => {
  it('are pinned, asked, exchanged and unpinned', async () => {
    const reconciler = start();
    expect(configure(reconciler, endsWith('one'))).toEqual([]);
    const [first, ...more] = pinned();
    expect([first?.length, more]).toEqual([32, []]);
    expect([await gets('this one'), await gets('this two')]).toEqual([true, false]);
    expect(await table()).toContain('xt match bpf');
    expect(configure(reconciler, endsWith('two'))).toEqual([]);
    expect(pinned()).toHaveLength(1);
    expect(pinned()).not.toEqual([first]);
    expect([await gets('this one'), await gets('this two')]).toEqual([false, true]);
    expect(configure(reconciler, 'destination_ports: 5000')).toEqual([]);
    expect([pinned(), existsSync(join(mounted, 'weir', 'matches'))]).toEqual([[], false]);
    expect(await gets('anything')).toBe(true);
  });

  it('what does not change stays where it is, also over a restart; what was left over goes', async () => {
    const first = start();
    configure(first, endsWith('one'));
    const [before, programs] = [await table(), loaded()];
    end(first);
    // As if the process had ended between pinning and its commit.
    const [place] = readdirSync(join(mounted, 'weir', 'matches'));
    const stale = keep(load({ name: 'weir_stale', type: 'socket_filter' }, returning(1)));
    PinDirectory.open(join(mounted, 'weir', 'matches', place ?? '')).pin(stale, 'stale');
    expect(pinned()).toHaveLength(2);
    const second = start();
    configure(second, endsWith('one'));
    expect([await table(), loaded()]).toEqual([before, programs]);
    expect(pinned()).toHaveLength(1);
    expect(await gets('this one')).toBe(true);
  });

  it('a pin that somebody removed does not matter to the rules, and another commit goes on', async () => {
    const reconciler = start();
    configure(reconciler, endsWith('one'));
    PinDirectory.open(join(mounted, 'weir', 'matches')).remove();
    expect(await gets('this one')).toBe(true);
    expect(configure(reconciler, endsWith('two'))).toEqual([]);
    expect(await gets('this two')).toBe(true);
  });

  it('a clear takes the table, the pins and the programs', async () => {
    const reconciler = start();
    configure(reconciler, endsWith('one'));
    const programs = loaded();
    expect(programs).toHaveLength(1);
    reconciler.clear();
    expect(pinned()).toEqual([]);
    const gone = (): boolean => !listPrograms().some(({ id }) => programs.includes(id));
    for (let i = 0; i < 500 && !gone(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(gone()).toBe(true);
  });

  it('without a BPF file system rules have them all the same', async () => {
    const reconciler = start();
    expect(configure(reconciler, endsWith('one'), join(directory, 'nowhere'))).toEqual([]);
    expect([await gets('this one'), await gets('this two')]).toEqual([true, false]);
    expect(configure(reconciler, endsWith('two'), join(directory, 'nowhere'))).toEqual([]);
    expect([await gets('this one'), await gets('this two')]).toEqual([false, true]);
    expect(existsSync(join(directory, 'nowhere'))).toBe(false);
  });

  it('a swap loses nothing and lets nothing through', async () => {
    const reconciler = start();
    const rule = (i: number): string => `expression: 'udp.payload contains "good" and not udp.payload contains "round ${i}"'`;
    configure(reconciler, rule(0));
    let sent = 0;
    for (let i = 1; i <= 40; i++) {
      // In flight while the rule is exchanged.
      const sending = Array.from({ length: 10 }, (_, k) => bed.send(k % 2 === 0 ? 'a good one' : 'a bad one'));
      expect(configure(reconciler, rule(i))).toEqual([]);
      await Promise.all(sending);
      sent += 5;
    }
    const heard = await bed.heard();
    expect(heard.filter((text) => text !== 'a good one')).toEqual([]);
    expect(heard).toHaveLength(sent);
    expect(pinned()).toHaveLength(1);
  });
});

describe('many programs', () => {
  it('rules that ask the same have one program, wherever else they differ', async () => {
    const reconciler = start();
    const rules = Array.from(
      { length: 20 },
      (_, i) =>
        `  - { name: r${i}, protocol: udp, destination_ports: ${i === 7 ? 5000 : 6000 + i}, action: allow, expression: 'udp.payload contains "word"' }`,
    ).join('\n');
    expect(bed.configureRules(reconciler, rules)).toEqual([]);
    expect([pinned().length, loaded().length]).toEqual([1, 1]);
    expect([await gets('a word'), await gets('another')]).toEqual([true, false]);
  });

  it('a thousand rules with payloads are loaded, and one more takes one program more', async () => {
    const reconciler = start();
    const rules = (count: number): string =>
      Array.from(
        { length: count },
        (_, i) => `  - { name: r${i}, protocol: udp, action: allow, expression: 'udp.payload contains "word ${i};"' }`,
      ).join('\n');
    expect(bed.configureRules(reconciler, rules(1000))).toEqual([]);
    const before = loaded();
    expect(bed.configureRules(reconciler, rules(1001))).toEqual([]);
    expect(pinned()).toHaveLength(1001);
    // None of the others was loaded again.
    const after = loaded();
    expect([before.length, after.length, before.filter((id) => !after.includes(id))]).toEqual([1000, 1001, []]);
    expect([await gets('word 777;'), await gets('word 1000;'), await gets('word 1001;')]).toEqual([true, true, false]);
    reconciler.clear();
    expect(pinned()).toEqual([]);
  }, 120_000);
});

describe('what protocols look like', () => {
  const invite = 'INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP client\r\n\r\n';
  it.each([
    { expression: 'sip', yes: invite, no: 'INVITE sip:bob@example.com\r\n\r\n' },
    { expression: 'sip.method == "INVITE"', yes: invite, no: invite.replace('INVITE', 'OPTIONS') },
    { expression: 'udp.payload matches "^[a-z]+ [0-9]{3}$"', yes: 'code 123', no: 'code 12' },
    { expression: 'not udp.payload contains "spam"', yes: 'ham', no: 'ham and spam' },
    { expression: 'len(udp.payload) > 5 xor udp.payload contains "a"', yes: 'a', no: 'longer a' },
    { expression: 'ct.new and starts_with(udp.payload, "he")', yes: 'hello', no: 'ello' },
    { expression: 'ip.src in {192.0.2.0/24} or bit_slice(udp, 64, 72) == 0x78', yes: 'xylophone', no: 'yes' },
  ])('$expression', async ({ expression, yes, no }) => {
    expect(configure(start(), `expression: '${expression}'`)).toEqual([]);
    expect([await gets(no), await gets(yes)]).toEqual([false, true]);
  });
});

describe("the user's own programs", () => {
  it('in an object, with the rest of the rule', async () => {
    writeFileSync(join(directory, 'mine.o'), await compileC(ENDS_WITH_X));
    const reconciler = start();
    expect(configure(reconciler, 'bpf: { object: mine.o, program: ends_with_x }')).toEqual([]);
    expect([await gets('tax'), await gets('tac')]).toEqual([true, false]);
    expect(configure(reconciler, 'destination_ports: 5001, bpf: { object: mine.o, program: ends_with_x }')).toEqual([]);
    expect(await gets('tax')).toBe(false);
    expect(pinned()).toHaveLength(1);
    expect(configure(reconciler, 'destination_ports: 5000')).toEqual([]);
    expect(pinned()).toEqual([]);
  });

  it('a boot loads them, and those of expressions, without the files', async () => {
    writeFileSync(join(directory, 'mine.o'), await compileC(ENDS_WITH_X));
    const reconciler = start();
    configure(reconciler, `bpf: { object: mine.o, program: ends_with_x }, expression: 'udp.payload contains "good"'`);
    end(reconciler);
    await inside.nft('delete table inet weir');
    PinDirectory.open(join(mounted, 'weir', 'matches')).remove();
    rmSync(join(directory, 'mine.o'));
    expect(await gets('good tac')).toBe(true);
    expect(restoreImage(new NftBackend({ netns: inside.path }), directory)?.problems).toEqual([]);
    expect([await gets('good tac'), await gets('bad tax'), await gets('good tax')]).toEqual([false, false, true]);
    expect(pinned()).toHaveLength(2);
  });

  it('pinned, which Weir leaves where it is', async () => {
    const program = keep(load({ name: 'mine', type: 'socket_filter' }, returning(1)));
    const pins = PinDirectory.open(join(mounted, 'mine'));
    pins.pin(program, 'all');
    const reconciler = start();
    expect(configure(reconciler, `bpf: ${pins.path}/all`)).toEqual([]);
    expect(await gets('anything')).toBe(true);
    reconciler.clear();
    expect(pins.list().pinned).toEqual(['all']);
  });

  it('another one that is pinned in its place is taken, also when nothing ran meanwhile', async () => {
    const pins = PinDirectory.open(join(mounted, 'mine'));
    const pin = (result: number): void => pins.pin(keep(load({ name: 'mine', type: 'socket_filter' }, returning(result))), 'all');
    pin(1);
    let time = Math.round(performance.now());
    bed.now = () => time;
    const first = start();
    const rule = `bpf: ${pins.path}/all`;
    expect(configure(first, rule)).toEqual([]);
    const before = await table();
    first.poll();
    expect(await table()).toBe(before);
    pin(0);
    first.poll();
    expect(await gets('not looked at yet')).toBe(true);
    time += 5_000;
    first.poll();
    expect(await gets('exchanged')).toBe(false);
    end(first);
    pin(1);
    const second = start();
    expect(configure(second, rule)).toEqual([]);
    expect(await gets('exchanged while nothing ran')).toBe(true);
    // Rules hold their programs: what is gone changes nothing for them.
    const now = await table();
    pins.unpin('all');
    time += 5_000;
    second.poll();
    expect([await table(), second.status().problems]).toEqual([now, []]);
    end(second);
    expect(configure(start(), rule)).toEqual([]);
    expect(await table()).toBe(now);
  });

  it('one with a bug is refused with what the verifier says, and what was in force stays', async () => {
    writeFileSync(join(directory, 'bad.o'), await compileC(UNCHECKED));
    const reconciler = start();
    configure(reconciler, endsWith('one'));
    const [problem] = configure(reconciler, 'bpf: { object: bad.o, program: careless }');
    expect(problem).toContain("invalid mem access 'map_value_or_null'");
    expect(reconciler.status().problems[0]?.subject).toBe('rule mine');
    expect(await gets('this one')).toBe(true);
    expect(configure(reconciler, endsWith('two'))).toEqual([]);
    expect(await gets('this two')).toBe(true);
  });

  it('one of another type in an object is refused', async () => {
    writeFileSync(join(directory, 'xdp.o'), await compileC(ENDS_WITH_X.replace('SEC("socket")', 'SEC("xdp")')));
    const [problem] = configure(start(), 'bpf: { object: xdp.o, program: ends_with_x }');
    expect(problem).toContain('the program ends_with_x is of the type xdp, and rules ask programs of the type socket_filter');
  });

  it('one of another type is refused', async () => {
    const program = keep(load({ name: 'mine', type: 'xdp' }, returning(2)));
    const pins = PinDirectory.open(join(mounted, 'mine'));
    pins.pin(program, 'xdp');
    expect(configure(start(), `bpf: ${pins.path}/xdp`).join()).toContain(
      `what is pinned at ${pins.path}/xdp is no program of the type socket filter`,
    );
  });

  it.each([
    { name: 'one that is not there', rule: 'bpf: /sys/fs/bpf/weir-test-none', want: /nothing is pinned at \/sys\/fs\/bpf\/weir-test-none/ },
    {
      name: 'one that the object has not',
      rule: 'bpf: { object: mine.o, program: other }',
      want: /there is no program other in it: it has ends_with_x/,
    },
  ])('$name is refused', async ({ rule, want }) => {
    writeFileSync(join(directory, 'mine.o'), await compileC(ENDS_WITH_X));
    expect(configure(start(), rule).join()).toMatch(want);
  });
});
