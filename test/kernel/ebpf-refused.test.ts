import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Assembler } from '@weir/ebpf/asm';
import { listInterfaces } from '@weir/ebpf/kernel';
import { PacketSocket } from '@weir/sys';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type CompileEbpfOptions, type CompileResult, compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import type { Config } from '../../apps/weir/src/model/config.ts';
import type { HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { EbpfService } from '../../apps/weir/src/reconcile/index.ts';
import { loadConfig } from '../../apps/weir/src/sources/config/index.ts';
import { type Host, Lab, waitFor } from '../lab/index.ts';
import { udp4 } from './ebpf-limits-bed.ts';
import { delta, features, mountBpf, pinDirectory } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;
let files: string;
let pins: string;
let out: PacketSocket;

beforeEach(async () => {
  lab = new Lab();
  host = await lab.host('refused');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  for (const name of ['here', 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
  out = PacketSocket.open({ interface: 'there', netns: host.path });
  files = mkdtempSync(join(tmpdir(), 'weir-refused-'));
  pins = pinDirectory(host.path);
});
afterEach(async () => {
  out.close();
  await lab.dispose();
  rmSync(files, { recursive: true, force: true });
});

/** Whether a program is one that the verifier is to refuse: the ref of the rule that it is to name, `''` for none of them. */
type Spoil = (rules: HookRules, options: CompileEbpfOptions) => string | undefined;

/** The compiler, but for programs in which an instruction reads where it may not. */
function spoiling(spoil: Spoil): typeof compileEbpf {
  return (rules, options): CompileResult => {
    const named = spoil(rules, options);
    const result = compileEbpf(rules, options);
    if (named === undefined || !('compiled' in result)) return result;
    const asm = new Assembler<Rule>('main');
    const rule = rules.rules.find(({ ref }) => ref === named);
    const wrong = () => asm.load('r0', 'u32', 'r2', 0);
    asm.load('r2', 'u32', 'r1', 0);
    if (rule) asm.within(rule, wrong);
    else wrong();
    asm.mov('r0', 2).exit();
    return { compiled: { ...result.compiled, program: asm.assemble(), maps: result.compiled.maps.slice(0, 1) } };
  };
}

const has =
  (ref: string): Spoil =>
  (hook) =>
    hook.rules.some((rule) => rule.ref === ref) ? ref : undefined;

function service(spoil?: Spoil): EbpfService {
  const made = new EbpfService({
    netns: host.path,
    emit: () => undefined,
    now: () => performance.now(),
    features: features(),
    ...(spoil && { compileHook: spoiling(spoil) }),
  });
  onTestFinished(() => made.close({ clear: false }));
  return made;
}

const MAIN = `
bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: 64512 }] }
sets:
  bad: { kind: deny, communities: ["64512:666"], guard: { peers: [core], prefixes: [192.0.2.0/24] }, on_session_loss: hold forever }
policy: [policy.yaml]
`;
const SEVEN = '  - { name: seven, hook: xdp, source_cidrs: [192.0.2.7], action: allow }';
const EIGHT = '  - { name: eight, hook: xdp, source_cidrs: [192.0.2.8], action: allow }';
const NOT_NINE = '  - { name: not-nine, hook: xdp, source_cidrs: [192.0.2.9], action: deny }';
const REST = '  - { name: rest, hook: xdp, source_cidrs: [192.0.2.0/28], action: allow }';

function config(byDefault: 'allow' | 'deny', ...rules: readonly string[]): Config {
  writeFileSync(join(files, 'policy.yaml'), `default_action: ${byDefault}\nrules:\n${rules.join('\n')}\n`);
  writeFileSync(join(files, 'weir.yaml'), `${MAIN}ebpf: { pin_directory: ${pins}, xdp: { interfaces: [here] } }\n`);
  const loaded = loadConfig(join(files, 'weir.yaml'));
  expect(loaded.diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  return { ...loaded.config!, netns: host.path };
}

const NONE = () => undefined;
const xdpOf = () => listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp;

/** What every address of 192.0.2.0/28 that is asked for meets: the rule that counts a packet from it; `<none>` where nothing judges. */
async function judged(one: EbpfService, ...last: readonly number[]): Promise<string[]> {
  const met: string[] = [];
  for (const octet of last) {
    const before = new Map(one.rules().map(({ rule, packets }) => [rule, packets]));
    out.send([udp4(0xc0000200 + octet)]);
    const rule =
      xdpOf() === undefined
        ? '<none>'
        : await waitFor('a verdict', async () => one.rules().find((now) => now.packets > (before.get(now.rule) ?? 0))?.rule, {
            intervalMs: 5,
          });
    met.push(rule);
  }
  return met;
}

describe('rules that the kernel refuses at the very first start', () => {
  it('are judged in the other arrangement where it takes that', async () => {
    // One by one they are refused, by tables they are not.
    const one = service((_, { classifier }) => (classifier && 'from' in classifier ? undefined : 'seven'));
    one.configure(config('deny', SEVEN, EIGHT), NONE, false);
    expect(one.problems).toEqual([]);
    expect(one.status()).toMatchObject({
      lacking: [],
      places: [{ why: 'the rules are judged by tables, since the kernel refuses them one by one' }],
    });
    expect(await judged(one, 7, 8, 3)).toEqual(['seven', 'eight', '<default>']);
    const [place] = one.status()?.places ?? [];
    one.close({ clear: false });
    // Nor does the next process take it for anything else.
    const next = service((_, { classifier }) => (classifier && 'from' in classifier ? undefined : 'seven'));
    next.configure(config('deny', SEVEN, EIGHT), NONE, false);
    expect(next.status()?.places).toEqual([place]);
    expect(next.problems).toEqual([]);
  });

  it('of a default deny judge without those that are refused: what only they let through is denied', async () => {
    const one = service(has('seven'));
    const rules = config('deny', SEVEN, EIGHT, NOT_NINE, REST);
    one.configure(rules, NONE, false);
    expect(one.problems).toMatchObject([{ kind: 'refused', subject: 'rule seven' }]);
    expect(one.problems[0]?.message).toMatch(
      /policy\.yaml:3:13 seven: the kernel's verifier refuses it: .*; in force until that is mended: the rules without seven, and what only they let through is denied$/,
    );
    expect(one.status()?.lacking).toEqual(['xdp']);
    expect(await judged(one, 7, 8, 9, 3)).toEqual(['rest', 'eight', 'not-nine', 'rest']);
    one.close({ clear: false });
    // The next process knows that it is no whole policy, and puts that into force as soon as the kernel takes it.
    const next = service(has('seven'));
    next.configure(rules, NONE, false);
    expect(next.problems[0]?.message).toContain('the rules without seven');
    next.close({ clear: false });
    const last = service();
    last.configure(rules, NONE, false);
    expect([last.problems, last.status()?.lacking]).toEqual([[], []]);
    expect(await judged(last, 7)).toEqual(['seven']);
  });

  it('of a default deny end where a deny is refused: nothing is opened', async () => {
    const one = service(has('not-nine'));
    one.configure(config('deny', SEVEN, NOT_NINE, REST), NONE, false);
    expect(one.problems[0]?.message).toContain('the rules without not-nine, rest, and what only they let through is denied');
    expect(await judged(one, 7, 9, 3)).toEqual(['seven', '<default>', '<default>']);
  });

  it('of a default deny leave the base where nothing else is taken', async () => {
    const one = service(({ rules }) => (rules.some(({ stage }) => stage === 'policy') ? '' : undefined));
    one.configure(config('deny', SEVEN), NONE, false);
    expect(one.problems).toMatchObject([{ kind: 'refused', subject: 'hook xdp' }]);
    expect(one.problems[0]?.message).toContain('in force until that is mended: the base alone, and everything else is denied');
    expect(await judged(one, 7, 3)).toEqual(['<default>', '<default>']);
    expect(one.rules().map(({ rule }) => rule)).toContain('base bgp core');
    expect(one.status()?.places).toMatchObject([{ way: 'native', why: 'the base alone, and everything else is denied' }]);
  });

  it('of a default allow judge without a deny that is refused, and what cannot be helped is said', async () => {
    const one = service(has('not-nine'));
    one.configure(config('allow', NOT_NINE, SEVEN), NONE, false);
    expect(one.problems[0]?.message).toContain('the rules without not-nine, and what only they deny is let through');
    expect(await judged(one, 9, 7)).toEqual(['<default>', 'seven']);
    const other = service(() => '');
    one.close({ clear: true });
    other.configure(config('allow', NOT_NINE), NONE, false);
    expect(other.problems[0]?.message).toContain('NOTHING OF WEIR JUDGES THERE, every packet passes it');
    expect([xdpOf(), other.status()?.lacking]).toEqual([undefined, ['xdp']]);
  });

  it('give way to rules that were confirmed before, with the members of their sets', async () => {
    const one = service(has('seven'));
    const before = config('deny', '  - { name: listed, hook: xdp, expression: "ip.src in $bad", action: deny }', REST);
    const { words, lengths, count } = delta('bad', ['192.0.2.5/32']);
    const known = (set: string, family: 4 | 6) =>
      set === 'bad' && family === 4 ? ({ family, words, lengths, count } as const) : undefined;
    one.configure(config('deny', SEVEN, EIGHT), known, false, { what: 'the rules of generation 3', config: before });
    expect(one.problems[0]?.message).toContain('in force until that is mended: the rules of generation 3');
    expect(await judged(one, 5, 7)).toEqual(['listed', 'rest']);
    // A change that is refused as well changes nothing, and one that is not ends it.
    one.configure(config('deny', SEVEN, REST), known, false);
    expect(one.problems[0]?.message).toContain('; the rules before stay in force');
    expect(await judged(one, 5)).toEqual(['listed']);
    one.configure(config('deny', EIGHT), known, false);
    expect(one.problems).toEqual([]);
    expect(await judged(one, 5, 8)).toEqual(['<default>', 'eight']);
  });
});

it('rules that are refused later leave those before in force', async () => {
  const one = service(has('seven'));
  one.configure(config('deny', EIGHT), NONE, false);
  one.configure(config('deny', EIGHT, SEVEN), NONE, false);
  expect(one.problems).toMatchObject([
    { kind: 'refused', subject: 'rule seven', message: expect.stringMatching(/; the rules before stay in force$/) },
  ]);
  expect([one.status()?.lacking, one.status()?.places[0]?.generation]).toEqual([[], 1]);
  expect(await judged(one, 8, 7)).toEqual(['eight', '<default>']);
});
