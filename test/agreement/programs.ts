import { BpfMap, VerifierError } from '@weir/ebpf/kernel';
import { ipSetPrefixes } from '@weir/filter/ir';
import { Packet, type PacketContext } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { type ClassifierOptions, COUNTERS, compileEbpf, verdictsOnly } from '../../apps/weir/src/compile/ebpf/index.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { type LoadedHook, loadHook, readCounts } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { SetMemory } from '../../apps/weir/src/kernel/ebpf/sets/set-memory.ts';
import type { CompiledHook, MapNeed, Place } from '../../apps/weir/src/model/ebpf-program.ts';
import type { HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { Random } from '../e2e/random.ts';
import { type Built, build } from './built.ts';
import { Hints } from './generate/hints.ts';
import { PacketMaker } from './generate/packets.ts';
import { makeFocus, makePolicy } from './generate/policy.ts';

export interface ProgramRunOptions {
  readonly seed: number;
  /** Pairs of a policy and a packet. */
  readonly pairs: number;
  /** Packets that each policy judges. */
  readonly packets: number;
  readonly rules: number;
  readonly place: Place;
  /** How long lists of rules are classified; false judges them one after the other. */
  readonly classifier?: ClassifierOptions | false | undefined;
  /** Rules also log and audit, for which programs call a function; else they only decide. */
  readonly effects?: boolean | undefined;
}

export interface ProgramRun {
  readonly differences: string[];
  pairs: number;
  policies: number;
  /** Packets that rules have written a codepoint into. */
  written: number;
  /** Instructions of the longest program. */
  longest: number;
  readonly refused: Map<string, number>;
  readonly verdicts: { allow: number; deny: number };
}

const MOST_DIFFERENCES = 3;

/** Random policies as eBPF programs, each run by the kernel over random packets, beside the interpreter: verdict, deciding rule, and what each rule counted. */
export function runPrograms(options: ProgramRunOptions): ProgramRun {
  const { seed, pairs, packets, rules, place } = options;
  const random = new Random(seed);
  const maker = new PacketMaker(random, { trains: true, wholeTrains: false, plainOptions: false, longChains: true, vlans: [7, 12] });
  const names = place === 'tc' ? ['iif.name', 'oif.name'] : ['iif.name'];
  const kind = { hook: 'prerouting', conntrack: false, headers: false, rules, names } as const;
  const run: ProgramRun = {
    differences: [],
    pairs: 0,
    policies: 0,
    written: 0,
    longest: 0,
    refused: new Map(),
    verdicts: { allow: 0, deny: 0 },
  };
  for (; run.pairs < pairs && run.differences.length < MOST_DIFFERENCES; run.policies++) {
    const hints = new Hints();
    const made = run.policies % 2 === 0 ? makeFocus(random, kind, hints, run.policies / 2) : makePolicy(random, kind, hints);
    const built = build({ ...made, based: false }, 'prerouting', 0);
    const { hook, compiled } = sayable(withCodepoints(random, built.hook, place), options, run);
    run.longest = Math.max(run.longest, compiled.program.words.length / 2);
    const name = random.pick(NAMES);
    const loaded = loadUnlessTooLarge(compiled, built, name, run);
    if (!loaded) continue;
    const context = name === '' ? {} : place === 'tc' ? { iif: name, oif: name } : { iif: name };
    try {
      const frames: Uint8Array[] = [];
      while (frames.length < packets) frames.push(...maker.make(hints).frames);
      compare(loaded, { hook, built, frames, place, context }, run);
    } finally {
      loaded.close();
    }
  }
  return run;
}

/** One policy in so many writes codepoints. */
const WRITING = 3;
const CODEPOINTS = [0, 10, 46, 63] as const;

/** Some of the rules that only mark or log write a codepoint instead. */
function withCodepoints(random: Random, hook: HookRules, place: Place): HookRules {
  if (place === 'network' || random.below(WRITING) > 0) return hook;
  const rules = hook.rules.map((rule): Rule => {
    const goesOn = rule.action.kind === 'log' || rule.action.kind === 'mark';
    return goesOn && random.below(2) === 0 ? { ...rule, action: { kind: 'dscp', dscp: random.pick(CODEPOINTS) } } : rule;
  });
  return { ...hook, rules };
}

/** Without limits, which let everything through, and answers. */
function decided(rule: Rule): Rule {
  const { kind } = rule.action;
  return kind === 'reject' || kind === 'rate-limit' ? { ...rule, action: { kind: kind === 'reject' ? 'deny' : 'allow' } } : rule;
}

/** Rules that only log go on; what programs refuse is left out. */
function sayable(
  hook: HookRules,
  { place, classifier, effects }: ProgramRunOptions,
  run: ProgramRun,
): { readonly hook: HookRules; readonly compiled: CompiledHook } {
  let rules = effects ? hook.rules.map(decided) : verdictsOnly(hook).rules;
  // A mark is the socket buffer's.
  if (place !== 'tc')
    rules = rules.map(
      (rule, i): Rule => (rule.action.kind === 'mark' ? { ...rule, action: { kind: 'skip', to: rules[i + 1]?.ref } } : rule),
    );
  for (;;) {
    const result = compileEbpf({ ...hook, rules }, { place, tellRule: true, ...(classifier === undefined ? {} : { classifier }) });
    if ('compiled' in result) return { hook: { ...hook, rules }, compiled: result.compiled };
    for (const { construct } of result.refusals) run.refused.set(construct, (run.refused.get(construct) ?? 0) + 1);
    const gone = new Set(result.refusals.map(({ rule }) => rule));
    const left = rules.filter(({ ref }) => !gone.has(ref));
    if (left.length === rules.length) throw new Error('the compiler refuses what is not there');
    // Skips to rules that are gone go to the default.
    rules = left.map((rule) =>
      rule.action.kind === 'skip' && rule.action.to !== undefined && gone.has(rule.action.to)
        ? { ...rule, action: { kind: 'skip', to: undefined } }
        : rule,
    );
  }
}

/** What a test run takes: a link header, and of socket buffers what fits into a page. */
const SHORTEST = 15;
const LONGEST = 3_500;

/** What the interface is called that packets come in by, and go out by at tc; empty for one that programs know no name of. */
const NAMES = ['rx0', 'rx0.7', 'out0', 'fifteen.letters', 'UDP', ''] as const;

/** The interface of test runs, where nothing else is said. */
const LOOPBACK = 1;
/** struct __sk_buff up to and with ingress_ifindex, which test runs of socket buffers leave at 0. */
const SKB_CONTEXT = new Uint8Array(new Uint32Array([0, 0, 0, 0, 0, 0, 0, 0, 0, LOOPBACK]).buffer);

const E2BIG = 7;

/** Undefined where the verifier gives up, which is counted. */
function loadUnlessTooLarge(compiled: CompiledHook, built: Built, name: string, run: ProgramRun): LoadedHook | undefined {
  try {
    return load(compiled, built, name);
  } catch (error) {
    if (!(error instanceof VerifierError) || error.errno !== E2BIG) throw error;
    run.refused.set('so much code', (run.refused.get('so much code') ?? 0) + 1);
    return undefined;
  }
}

function load(compiled: CompiledHook, built: Built, name: string): LoadedHook {
  const loaded = loadHook(compiled, { name: 'agreement' });
  for (const need of compiled.maps) {
    const map = loaded.maps.get(need.symbol);
    if (need.kind === 'list' && map) fill(map, need, built);
    if (need.kind === 'interfaces' && map && name !== '') {
      const value = new Uint8Array(16);
      value.set(new TextEncoder().encode(name));
      map.update(new Uint8Array(Uint32Array.of(LOOPBACK).buffer), value);
    }
  }
  return loaded;
}

function fill(map: BpfMap, { list, family }: Extract<MapNeed, { kind: 'list' }>, { members }: Built): void {
  const prefixes = ipSetPrefixes(members.get(list) ?? { v4: [], v6: [] });
  const memory = SetMemory.adopt(BpfMap.borrow(map.fd), family);
  if (!memory) throw new RangeError(`map ${map.name} is not for a set`);
  try {
    for (const one of prefixes)
      if (one.family === family && memory.add(one.w0, one.w1, one.w2, one.w3, one.length) === 'full')
        throw new RangeError(`map ${map.name} has no room for ${prefixes.length} members`);
  } finally {
    memory.close();
  }
}

interface Judged {
  readonly hook: HookRules;
  readonly built: Built;
  readonly frames: readonly Uint8Array[];
  readonly place: Place;
  readonly context: PacketContext;
}

function compare({ program, maps }: LoadedHook, { hook, built, frames, place, context }: Judged, run: ProgramRun): void {
  const counted = hook.rules.map(() => ({ packets: 0, octets: 0 }));
  const writes = hook.rules.some(({ action }) => action.kind === 'dscp');
  for (const frame of frames) {
    if (frame.length < SHORTEST || (place !== 'xdp' && frame.length > LONGEST)) continue;
    const packet = place === 'network' ? Packet.fromNetwork(frame.subarray(14), context) : Packet.fromEthernet(frame, context);
    const wanted = judge(hook, packet, { lists: built.lists });
    const { result, data } = program.run({
      data: frame,
      discard: writes ? 'context' : true,
      ...(place === 'xdp' ? {} : { context: SKB_CONTEXT }),
    });
    const rule = hook.rules[(result >>> 8) - 1];
    const verdict = (result & 1) === 1 ? 'allow' : 'deny';
    run.pairs++;
    run.verdicts[verdict]++;
    // A rule that logs and decides counts a packet once.
    for (const judged of new Set(wanted.effects.map((effect) => effect.rule))) {
      const one = counted[hook.rules.indexOf(judged)];
      if (!one) throw new Error('a rule of another hook');
      one.packets++;
      one.octets += packet.headers.length;
    }
    const written = wanted.packet instanceof Packet ? printHex(wanted.packet.bytes) : '';
    const left = writes ? printHex(data) : written;
    if (written !== printHex(packet.bytes)) run.written++;
    if (verdict === wanted.verdict && rule?.ref === wanted.rule?.ref && left === written) continue;
    run.differences.push(
      `${printHex(frame)}: the interpreter ${wanted.verdict} ${wanted.rule?.ref} ${written}, the program ${verdict} ${rule?.ref} ${left}\n${printRules(hook)}`,
    );
    if (run.differences.length >= MOST_DIFFERENCES) return;
  }
  const counters = maps.get(COUNTERS);
  const counts = counters ? readCounts(counters, 2, counted.length).counts : new BigUint64Array();
  for (const [index, want] of counted.entries()) {
    const sums = counts.subarray(2 * index, 2 * index + 2);
    if (sums[0] === BigInt(want.packets) && sums[1] === BigInt(want.octets)) continue;
    const rule = hook.rules[index];
    run.differences.push(
      `${rule?.ref} counted ${sums[0]} packets of ${sums[1]} octets, not ${want.packets} of ${want.octets}: ${rule?.text}`,
    );
  }
}

function printRules(hook: HookRules): string {
  return hook.rules.map(({ ref, text, action }) => `  ${ref}: ${text} -> ${action.kind}`).join('\n');
}
