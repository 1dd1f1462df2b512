// Firewalls to import: whatever the text, each reader accounts for it without throwing, and what comes of it is a policy that loads.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Imported,
  importPrograms,
  itemText,
  place,
  readManifests,
  readRuleset,
  readSave,
} from '../apps/weir/src/sources/import/index.ts';
import { loadPolicy } from '../apps/weir/src/sources/policy/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const examples = join(import.meta.dirname, '../examples/import');

const OTHERS = [
  '*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n:b - [0:0]\n-A INPUT -m mark --mark 0x1/0x3 -j a\n-A a -j MARK --set-mark 2\n-A a -g b\n-A b ! -s 192.0.2.0/255.255.255.0 -i eth+ -m set ! --match-set x src -j RETURN\n-A b -p tcp ! --syn -m length --length 0:99 -m dscp --dscp-class ef -m owner --uid-owner 0-9 -j LOG --log-prefix "a \\"b"\nCOMMIT\n',
  '*filter\n:INPUT ACCEPT\n-I INPUT 1 -p sctp -m multiport ! --ports 1,2:3 -m state --state NEW -m ttl --ttl-gt 9 -m tos --tos 0x10/0x3f -m iprange --src-range 192.0.2.4-192.0.2.9 -m addrtype --dst-type MULTICAST -j REJECT --reject-with tcp-reset\n-A INPUT -m hashlimit --hashlimit-upto 9/sec --hashlimit-mode srcip --hashlimit-name n -c 1 2 -j ACCEPT\nCOMMIT\n',
  '{"nftables":[{"set":{"family":"ip","table":"t","name":"s","type":["ipv4_addr","inet_service"],"elem":[{"concat":["192.0.2.1",{"range":[1,9]}]}]}},{"chain":{"family":"ip","table":"t","name":"c","type":"filter","hook":"output","prio":-300,"policy":"drop"}},{"rule":{"family":"ip","table":"t","chain":"c","handle":1,"comment":"x","expr":[{"match":{"op":"==","left":{"concat":[{"payload":{"protocol":"ip","field":"saddr"}},{"payload":{"protocol":"th","field":"dport"}}]},"right":"@s"}},{"limit":{"rate":9,"per":"minute","burst":3,"inv":true}},{"log":{"prefix":"p"}},{"vmap":{"key":{"meta":{"key":"l4proto"}},"data":{"set":[["tcp",{"goto":{"target":"c"}}],[17,{"drop":null}]]}}}]}}]}',
  'kind: List\nitems:\n- apiVersion: cilium.io/v2\n  kind: CiliumClusterwideNetworkPolicy\n  metadata: { name: x }\n  specs:\n  - endpointSelector: { matchExpressions: [{ key: a, operator: NotIn, values: [b, c] }] }\n    enableDefaultDeny: { egress: false }\n    egress: [{ toEntities: [cluster, world-ipv6], toPorts: [{ ports: [{ port: "1", endPort: 9, protocol: ANY }] }] }]\n    egressDeny: [{ toCIDR: [2001:db8::/32], icmps: [{ fields: [{ type: EchoRequest, family: IPv6 }] }] }]\n',
];

function check(imported: Imported): void {
  const { text, policy, entries } = imported;
  const errors = entries.filter((e) => e.status === 'error');
  if ((text === undefined) !== errors.length > 0)
    throw new Error(`${text === undefined ? 'no policy' : 'a policy'} with ${errors.length} errors`);
  for (const e of entries) {
    if (/\p{Cc}/u.test(`${place(e)}${itemText(e)}${e.reasons.join('')}`)) throw new Error(`control characters: ${JSON.stringify(e)}`);
    if (e.status === 'unsupported' && e.reasons.length === 0) throw new Error(`no reason: ${JSON.stringify(e)}`);
  }
  if (text === undefined || !policy) return;
  const sets = new Map(policy.toFill.map((s) => [s.name, 'Ip' as const]));
  const files = { read: () => ({ bytes: Buffer.from(text), mode: 0o100600 }), names: () => [] };
  const loaded = loadPolicy(['policy.yaml'], files, { sets, now: 0 });
  const problem = loaded.diagnostics.find((d) => d.severity === 'error');
  if (problem)
    throw new Error(
      `${JSON.stringify(problem)}\n${text
        .split('\n')
        .slice(problem.span.line - 8, problem.span.line + 1)
        .join('\n')}`,
    );
}

export const target: FuzzTarget = {
  name: 'import',
  corpus: () => [...readdirSync(examples).map((name) => readFileSync(join(examples, name))), ...OTHERS.map((text) => Buffer.from(text))],
  run(input) {
    const text = Buffer.from(input).toString('utf8');
    check(importPrograms([readSave(text, 'rules', 4)], ['rules'], 500));
    check(importPrograms([readSave(text, 'rules', 6)], ['rules'], 500));
    check(importPrograms([readRuleset(text, 'rules')], ['rules'], 500));
    check(importPrograms([readManifests([{ file: 'rules', text }])], ['rules'], 500));
  },
};
