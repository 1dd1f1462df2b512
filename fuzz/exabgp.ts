// What ExaBGP prints to its processes: whatever the octets and however they are cut, each line is a step of a session or is counted; nothing is thrown and nothing grows.
import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { UpdateMessage } from '@weir/bgp/codec';
import { decodeFlowRule, flowActions, flowToJson, flowTreatment, parseFlow, printFlow } from '@weir/bgp/flowspec';
import type { SessionEvent } from '@weir/bgp/session';
import { loadConfig } from '../apps/weir/src/sources/config/index.ts';
import { KnownAttributes } from '../apps/weir/src/sources/exabgp/attributes.ts';
import { ExabgpSpeaker } from '../apps/weir/src/sources/exabgp/index.ts';
import { parseLine } from '../apps/weir/src/sources/exabgp/parse-line.ts';
import type { FuzzTarget } from './fuzz.ts';

const CONFIG = `bgp:
  as: 65000
  router_id: 192.0.2.1
  peers: [{ name: router, address: 127.0.0.1, as: 65001, via: exabgp, families: [ipv4 unicast, ipv6 unicast, ipv4 flow, ipv6 flow] }]
`;
const { config } = loadConfig('weir.yaml', { read: () => ({ bytes: Buffer.from(CONFIG), mode: 0o100600 }), names: () => [] });

const BETWEEN = 'done\nerror: no such neighbor\n 127.0.0.1       65001   0:01:02     established            10           2\n';

const about = '"neighbor": { "address": { "local": "127.0.0.1", "peer": "127.0.0.1" }, "asn": { "local": 65000, "peer": 65001 }';
const up = `{ "exabgp": "4.0.1", "type": "state", ${about}, "state": "up" } }\n`;
const refresh = `{ "exabgp": "4.0.1", "type": "refresh", ${about}, "route-refresh": { "afi" : "ipv4", "safi" : "flow", "subtype": "end" } } }\n`;
const ending = '{ "exabgp": "4.0.1", "type": "notification", "notification": "shutdown" }\n';
const flowLine = (text: string): string =>
  `{ "exabgp": "4.0.1", "type": "update", ${about}, "direction": "receive", "message": { "update": { "attribute": { "origin": "igp", "extended-community": [ { "value": 9225060886715039744 } ] }, "announce": { "ipv4 flow": { "no-nexthop": [ { "string": "${text}" } ] } } } } } }\n`;
const FLOWS = [
  'flow destination-ipv4 198.51.100.7/32 source-ipv4 192.0.2.0/24 protocol [ =tcp =udp unknown protocol type 99 ] destination-port [ >=25&<=80 !=443 ]',
  'flow port =53 source-port true icmp-type =echo-request icmp-code =0 tcp-flags [ =syn+ack !=rst ] packet-length >200&<300 dscp =46 fragment [ is-fragment !last-fragment ] next-hop 192.0.2.9',
];

function lines(): readonly string[] {
  const file = (name: string): string => readFileSync(new URL(`../conformance/exabgp/${name}`, import.meta.url), 'utf8');
  const captured = JSON.parse(file('capture.json')) as readonly { readonly [version: string]: string | null }[];
  const single = captured.flatMap((one) => [one['exabgp-4.2.21'], one['exabgp-5.0.13']]).filter((line) => typeof line === 'string');
  return [
    ...['exabgp42_session_minimal.jsonl', 'exabgp50_consolidate_addpath.jsonl'].map((name) => file(name).slice(0, 6000)),
    ...single.map((line) => `${up}${line}\n`),
    ...FLOWS.map((text) => up + flowLine(text)),
    up + refresh + BETWEEN + ending,
  ];
}

/** What a speaker makes of it, given so many octets at a time. */
function heard(input: Uint8Array, size: number): unknown {
  if (!config) throw new Error('the configuration has mistakes');
  const events: SessionEvent[] = [];
  const commands: string[] = [];
  const clock = { now: () => 0, setTimer: () => ({ cancel: () => undefined }), afterInput: () => undefined, random: () => 0 };
  const speaker = new ExabgpSpeaker({ config, clock, events: () => undefined });
  speaker.listen((event) => events.push(event));
  const feed = speaker.openFeed((command) => commands.push(command));
  for (let at = 0; at < input.length; at += size) feed.push(input.subarray(at, at + size));
  feed.close('the end');
  const { counts } = speaker;
  speaker.close();
  if (counts.quoted.length > 8 || counts.bad > counts.lines || counts.feeds !== 0) throw new Error(JSON.stringify(counts));
  return { events, commands, counts };
}

function checkUpdate({ announceFlows, withdrawFlows, attributes }: UpdateMessage): void {
  for (const { rule } of [...announceFlows.map(({ run }) => run), ...withdrawFlows].flatMap(({ routes }) => routes)) {
    deepStrictEqual(decodeFlowRule(rule.family, rule.octets).components, rule.components);
    const text = printFlow(rule);
    const read = parseFlow(text);
    // Numbers that no field holds are printed and not read.
    if (!read.ok && !/ is 0-|no bits|at most 4095/.test(read.problem.message)) throw new Error(`${text}: ${read.problem.message}`);
    JSON.stringify(flowToJson(rule, attributes));
  }
  const { rateBytes = 0, ratePackets = 0 } = flowTreatment(flowActions(attributes), undefined);
  if (!(rateBytes >= 0 && ratePackets >= 0)) throw new Error('a rate that is none');
}

export const target: FuzzTarget = {
  name: 'exabgp',
  corpus: () => lines().map((text) => Buffer.from(text)),
  run(input) {
    deepStrictEqual(heard(input, 1 + ((input[0] ?? 0) % 97)), heard(input, input.length + 1));
    const known = new KnownAttributes();
    for (const text of Buffer.from(input).toString('utf8').split('\n')) {
      const line = parseLine(text, known);
      // Read with what was kept, and without.
      deepStrictEqual(parseLine(text, known), parseLine(text));
      if (line.kind === 'update') checkUpdate(line.update);
    }
  },
};
