import type { Lists } from '@weir/filter/eval';
import { covers, makePrefix } from '@weir/wire/inet';
import { ruleLabel } from '../../compile/describe/index.ts';
import { UnjudgeableError, type Verdict } from '../../compile/interpreter/index.ts';
import type { EbpfConfig } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';
import { packetOf } from '../../sources/packets/index.ts';
import type { PolicyTest, TestFile } from '../../sources/tests/index.ts';
import { explainPacket, type HookExplanation, waysAt, waysThrough } from '../explain/explain-packet.ts';
import { isIp } from '../explain/known-members.ts';
import type { TestResult } from './result.ts';

/** What a test file is about. */
export interface TestedRules {
  readonly hooks: readonly HookRules[];
  /** What eBPF programs are attached to; undefined for policy files alone. */
  readonly ebpf: EbpfConfig | undefined;
}

/** Judges every packet of a test file. */
export function runPacketTests(file: TestFile, { hooks, ebpf }: TestedRules): readonly TestResult[] {
  const lists: Lists = {
    has: (list, value) =>
      isIp(value) &&
      (file.sets.get(list) ?? []).some(
        (prefix) => prefix.family === value.family && covers(prefix, makePrefix(value, value.family === 4 ? 32 : 128)),
      ),
  };
  return file.tests.map((test) => {
    const message = runUnlessUnjudgeable(test, { hooks, ebpf }, lists);
    return { file: file.file, name: test.name, passed: message === '', message, span: test.span };
  });
}

/** What comes to a program of the user's fails with that. */
function runUnlessUnjudgeable(test: PolicyTest, { hooks, ebpf }: TestedRules, lists: Lists): string {
  try {
    return run(test, { hooks, ebpf }, lists);
  } catch (error) {
    if (error instanceof UnjudgeableError) return error.message;
    throw error;
  }
}

/** Why a test fails; empty when it passes. */
function run(test: PolicyTest, { hooks, ebpf }: TestedRules, lists: Lists): string {
  const packet = packetOf(test.packet);
  const ways = test.hook === undefined ? waysThrough(hooks, packet.context, ebpf) : waysAt(test.hook, hooks, packet.context, ebpf);
  if (ways.length === 0) return `no rule is judged ${test.hook === undefined ? 'where the packet goes' : `at ${test.hook}`}`;
  const last = ways.map((way) => explainPacket(way, packet, lists).at(-1)).filter((one) => one !== undefined);
  const wrong = last.find((one) => one.judgement.verdict !== test.expect);
  if (wrong) return `expected ${test.expect}, got ${describe(wrong)}`;
  const other = test.rule === undefined ? undefined : last.find((one) => !isRule(one, test.rule ?? ''));
  return other ? `expected ${test.expect} by ${test.rule}, got ${describe(other)}` : '';
}

function isRule({ judgement }: HookExplanation, wanted: string): boolean {
  return judgement.rule !== undefined && (judgement.rule.ref === wanted || judgement.rule.name === wanted);
}

function describe({ hook, judgement }: HookExplanation): string {
  const verdict: Verdict = judgement.verdict;
  return `${verdict} by ${judgement.rule ? ruleLabel(judgement.rule) : 'no rule'} at ${hook}`;
}
