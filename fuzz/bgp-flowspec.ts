// Flow specifications, changed: NLRI octets and texts. What decodes has a canonical form that means the same, an order, a text; what is printed is read back.
import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { decodeMessage, FAMILY_NAMES, type FlowRule, sessionContext } from '@weir/bgp/codec';
import {
  canonicalFlowRule,
  compareFlowRules,
  decodeFlowRule,
  FlowError,
  type FlowFamily,
  flowActions,
  flowOrderKey,
  flowToJson,
  flowTreatment,
  parseFlow,
  parseFlowAction,
  printFlow,
  printFlowAction,
  printFlowProblem,
} from '@weir/bgp/flowspec';
import { parseHex } from '@weir/wire/bytes';
import type { FuzzTarget } from './fuzz.ts';

const FAMILIES: readonly FlowFamily[] = ['ipv4 flow', 'ipv6 flow', 'ipv4 flow-vpn', 'ipv6 flow-vpn'];
/** The first octet of an input that is text; below it the octet says which family its NLRI is of. */
const TEXT = 4;

const TEXTS: readonly string[] = [
  'flow4 { dst 203.0.113.0/24; proto 17; dport > 24 && < 30 || 40..50; tcp flags 0x3/0xf; fragment !is_fragment; }',
  'flow4 { rd 64512:1; src 10.0.0.0/8; proto = 6 || = 17; port 80,443..500; sport != 5 && true 1; icmp type 8; icmp code 0; length 1500..2000; dscp 46; }',
  'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; label 16..32; fragment first_fragment || 0x0/0xc; }',
];

function recorded(): readonly FlowRule[] {
  const messages = JSON.parse(readFileSync(new URL('../conformance/bgp/exabgp-messages.json', import.meta.url), 'utf8')) as readonly {
    readonly hex: string;
  }[];
  const context = sessionContext({ families: FAMILY_NAMES });
  return messages.flatMap(({ hex }) => {
    const message = decodeMessage(parseHex(hex), context);
    if (message.kind !== 'update') return [];
    return [...message.announceFlows.map((a) => a.run), ...message.withdrawFlows].flatMap((run) => run.routes.map((r) => r.rule));
  });
}

/** The rule that came before, to compare with. */
let last: FlowRule | undefined;

function checkText(text: string): void {
  const result = parseFlow(text);
  if (!result.ok) {
    printFlowProblem(text, result.problem);
    return;
  }
  const printed = printFlow(result.rule);
  const again = parseFlow(printed);
  if (!again.ok) throw new Error(`what was printed is not read: ${printed}`);
  deepStrictEqual(printFlow(again.rule), printed);
}

/** Undefined where flow labels in four octets make it too long. */
function canonicalOf(rule: FlowRule): FlowRule | undefined {
  try {
    return canonicalFlowRule(rule);
  } catch (error) {
    if (!(error instanceof RangeError) || rule.octets.length < 1000) throw error;
    return undefined;
  }
}

function checkRule(rule: FlowRule): void {
  const canonical = canonicalOf(rule);
  deepStrictEqual(canonical?.components ?? rule.components, rule.components);
  deepStrictEqual(canonical && canonicalFlowRule(canonical).octets, canonical?.octets);
  JSON.stringify(flowToJson(rule, {}));
  const text = printFlow(rule);
  const read = parseFlow(text);
  // Numbers that no field holds are printed and not read.
  if (read.ok) deepStrictEqual(printFlow(read.rule), text);
  else if (!/ is 0-|no bits|at most 4095/.test(read.problem.message)) throw new Error(`${text}: ${read.problem.message}`);
  deepStrictEqual(compareFlowRules(rule, rule), 0);
  if (last) {
    deepStrictEqual(Math.sign(compareFlowRules(rule, last)), -Math.sign(compareFlowRules(last, rule)) || 0);
    deepStrictEqual(flowOrderKey(rule) === flowOrderKey(last), rule.key === last.key);
  }
  last = rule;
}

/** Eight octets of an input at a time as extended communities. */
function checkActions(input: Uint8Array): void {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const extendedCommunities = Array.from({ length: Math.min(8, Math.floor(input.length / 8)) }, (_, i) => ({
    high: view.getUint32(8 * i),
    low: view.getUint32(8 * i + 4),
  }));
  const actions = flowActions({ extendedCommunities });
  for (const action of actions) deepStrictEqual(parseFlowAction(printFlowAction(action)), action);
  const { rateBytes = 0, ratePackets = 0 } = flowTreatment(actions, undefined);
  if (!(rateBytes >= 0 && ratePackets >= 0 && Number.isFinite(rateBytes + ratePackets))) throw new Error('a rate that is none');
}

export const target: FuzzTarget = {
  name: 'bgp-flowspec',
  corpus() {
    const rules = recorded().map((rule) => Uint8Array.of(FAMILIES.indexOf(rule.family), ...rule.octets));
    const texts = TEXTS.map((text) => Uint8Array.of(TEXT, ...new TextEncoder().encode(text)));
    const actions = ['8006fde947c35000 8007000000000003 800900000000002e', '8008fde900000064 8108c000020a0064 010cc00002630001'];
    return [...rules, ...texts, ...actions.map((words) => Uint8Array.of(0, ...parseHex(words)))];
  },
  run(input) {
    const [kind = 0] = input;
    const rest = input.subarray(1);
    if (kind % 8 >= TEXT) {
      checkText(new TextDecoder().decode(rest));
      return;
    }
    checkActions(rest);
    try {
      checkRule(decodeFlowRule(FAMILIES[kind % FAMILIES.length] ?? 'ipv4 flow', rest.subarray(0, 4095)));
    } catch (error) {
      if (!(error instanceof FlowError)) throw error;
    }
  },
};
