import type { Lists } from '@weir/filter/eval';
import { buildPacket } from '@weir/filter/packet';
import { type Ip, ip4, parseIp, printIp } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { type Imported, importPrograms } from '../convert.ts';
import { judgePolicy, loadImported } from '../test-policy.ts';
import { readManifests } from './read-manifests.ts';

const read = (text: string): Imported => importPrograms([readManifests([{ file: 'np.yaml', text }])], ['np.yaml']);
const kubernetes = (spec: string): string =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p, namespace: prod }\nspec: ${spec}\n`;
const cilium = (spec: string): string =>
  `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: p, namespace: prod }\nspec: ${spec}\n`;

const WEB = '192.0.2.10';
const API = '192.0.2.20';
const FRONT = '198.51.100.30';
const WORLD = '203.0.113.1';
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  prod_app_web: [WEB],
  prod_app_api: [API],
  prod_role_front: [FRONT],
  prod_pods: [WEB, API, FRONT],
  all_pods: [WEB, API, FRONT],
  cluster: [WEB, API, FRONT],
};
const lists: Lists = {
  has: (list, value) => typeof value === 'object' && 'family' in value && (MEMBERS[list] ?? []).includes(printIp(value as Ip)),
};

/** `192.0.2.10 -> 192.0.2.20 tcp 80`. */
function judge(imported: Imported, flow: string): string {
  const [source = '', , destination = '', protocol = 'tcp', port = '80', state = 'new'] = flow.split(' ');
  const ip = (text: string): Ip => parseIp(text) ?? ip4(0);
  const ports = { sourcePort: 40_000, destinationPort: Number(port) };
  const transport =
    protocol === 'icmp'
      ? ({ kind: 'icmp', type: Number(port), code: 0 } as const)
      : ({ kind: protocol === 'udp' ? 'udp' : 'tcp', ...ports } as const);
  const bytes = buildPacket({ source: ip(source), destination: ip(destination), transport });
  return judgePolicy(
    loadImported(imported),
    'forward',
    bytes,
    { iif: 'eth0', oif: 'eth1', state: state === 'new' ? 'new' : 'established' },
    lists,
  );
}

describe('what the pods receive and send', () => {
  test.each([
    {
      name: 'ingress from a selector and a block, one port',
      text: kubernetes(
        `{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { role: front } } }, { ipBlock: { cidr: 203.0.113.0/24, except: [203.0.113.128/25] } }], ports: [{ port: 80 }] }] }`,
      ),
      accept: [
        `${FRONT} -> ${WEB} tcp 80`,
        `${WORLD} -> ${WEB} tcp 80`,
        `${WEB} -> ${WORLD} tcp 25`,
        `${WORLD} -> ${API} tcp 80`,
        `${API} -> ${WEB} tcp 9 established`,
      ],
      drop: [`${API} -> ${WEB} tcp 80`, `${FRONT} -> ${WEB} tcp 81`, `${FRONT} -> ${WEB} udp 80`, `203.0.113.200 -> ${WEB} tcp 80`],
    },
    {
      name: 'default deny of both directions',
      text: kubernetes('{ podSelector: {}, policyTypes: [Ingress, Egress] }'),
      accept: [`${WORLD} -> 203.0.113.9 tcp 80`],
      drop: [`${WORLD} -> ${WEB} tcp 80`, `${WEB} -> ${WORLD} tcp 80`],
    },
    {
      name: 'egress and ingress must both allow',
      text: `${kubernetes('{ podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [{ ports: [{ port: 8000, endPort: 8010 }, { protocol: UDP, port: 53 }] }] }')}---\n${kubernetes('{ podSelector: { matchLabels: { app: api } }, ingress: [{ ports: [{ port: 8000 }, { port: 22 }] }] }')}`,
      accept: [`${WEB} -> ${API} tcp 8000`, `${WEB} -> ${WORLD} udp 53`, `${WEB} -> ${WORLD} tcp 8010`, `${WORLD} -> ${API} tcp 22`],
      drop: [`${WEB} -> ${API} tcp 8005`, `${WEB} -> ${API} tcp 22`, `${WORLD} -> ${API} tcp 8005`, `${WEB} -> ${WORLD} tcp 8011`],
    },
    {
      name: 'several policies of one pod add up',
      text: `${kubernetes('{ podSelector: { matchLabels: { app: web } }, ingress: [{ ports: [{ port: 80 }] }] }')}---\n${kubernetes('{ podSelector: { matchLabels: { app: web } }, ingress: [{ ports: [{ port: 81 }] }] }')}`,
      accept: [`${WORLD} -> ${WEB} tcp 80`, `${WORLD} -> ${WEB} tcp 81`],
      drop: [`${WORLD} -> ${WEB} tcp 82`],
    },
    {
      name: 'Cilium: a denial wins over every allowance',
      text: cilium(
        '{ endpointSelector: { matchLabels: { app: web } }, ingress: [{ fromEntities: [all] }], ingressDeny: [{ fromCIDRSet: [{ cidr: 203.0.113.0/24, except: [203.0.113.0/28] }] }] }',
      ),
      accept: [`${API} -> ${WEB} tcp 80`, `${WORLD} -> ${WEB} tcp 80`],
      drop: [`203.0.113.99 -> ${WEB} tcp 80`],
    },
    {
      name: 'Cilium: world, any protocol, ICMP',
      text: cilium(
        '{ endpointSelector: { matchLabels: { app: web } }, ingress: [{ fromEntities: [world], toPorts: [{ ports: [{ port: "80" }] }], icmps: [{ fields: [{ type: 8 }] }] }] }',
      ),
      accept: [`${WORLD} -> ${WEB} tcp 80`, `${WORLD} -> ${WEB} udp 80`, `${WORLD} -> ${WEB} icmp 8`],
      drop: [`${API} -> ${WEB} tcp 80`, `${WORLD} -> ${WEB} tcp 81`, `${WORLD} -> ${WEB} icmp 13`],
    },
    {
      name: 'Cilium: an empty rule isolates, and no isolation where it is switched off',
      text: `${cilium('{ endpointSelector: { matchLabels: { app: web } }, ingress: [{}] }')}---\n${cilium('{ endpointSelector: { matchLabels: { app: api } }, enableDefaultDeny: { egress: false }, egressDeny: [{ toCIDR: [203.0.113.0/24] }] }')}`,
      accept: [`${API} -> 198.51.100.1 tcp 80`],
      drop: [`${WORLD} -> ${WEB} tcp 80`, `${API} -> ${WORLD} tcp 80`],
    },
  ])('$name', ({ text, accept, drop }) => {
    const imported = read(text);
    expect(imported.entries.filter((e) => e.status === 'unsupported' || e.status === 'error')).toEqual([]);
    expect(accept.map((flow) => [flow, judge(imported, flow)])).toEqual(accept.map((flow) => [flow, 'accept']));
    expect(drop.map((flow) => [flow, judge(imported, flow)])).toEqual(drop.map((flow) => [flow, 'drop']));
  });
});

describe('what is not translated says why, and opens nothing', () => {
  const selector = 'endpointSelector: { matchLabels: { app: web } }';
  test.each([
    {
      text: kubernetes('{ podSelector: {}, ingress: [{ ports: [{ port: http }] }] }'),
      want: 'port http is a name, which only the pods know; write its number',
    },
    {
      text: cilium(`{ ${selector}, ingress: [{ toPorts: [{ ports: [{ port: "80" }], rules: { http: [{ method: GET }] } }] }] }`),
      want: 'rules on layer 7 (http) are not translated; nothing is allowed in their place',
    },
    {
      text: cilium(`{ ${selector}, egress: [{ toFQDNs: [{ matchName: example.com }] }] }`),
      want: 'names are not addresses; fill a set from a list of them',
    },
    {
      text: cilium('{ nodeSelector: {}, ingress: [{}] }'),
      want: 'policies of nodes are not imported: the pods of a node are seen at hook forward, the node itself at input and output',
    },
    {
      text: kubernetes('{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 192.0.2.0/33 } }] }] }'),
      want: 'prefix length must be 0-32: 192.0.2.0/33',
    },
    { text: kubernetes('{ podSelector: { matchFields: {} }, ingress: [] }'), want: 'a selector has matchFields, which is not known' },
  ])('$want', ({ text, want }) => {
    const { policy, entries } = read(text);
    expect(entries.filter((e) => e.status === 'unsupported').flatMap((e) => e.reasons)).toEqual([want]);
    expect(policy?.rules.filter((r) => r.action['action'] === 'allow' && r.match.state === undefined)).toEqual([]);
  });

  test('mistakes of YAML have their line in the file, also in a later document', () => {
    const { policy, entries } = read(`${kubernetes('{ podSelector: {} }')}---\nkind: [\n`);
    expect(policy).toBeUndefined();
    expect(entries.find((e) => e.status === 'error')?.line).toBeGreaterThan(5);
  });

  test.each([
    { name: 'nothing', text: '', want: 'there is no manifest in it' },
    { name: 'comments alone', text: '# nothing\n---\n# here\n', want: 'there is no manifest in it' },
    {
      name: 'a mapping of something else',
      text: 'default_action: deny',
      want: 'not a manifest: a mapping with apiVersion and kind is needed',
    },
    { name: 'a word', text: 'hello', want: 'not a manifest: a mapping with apiVersion and kind is needed' },
    { name: 'a list of nothing', text: 'kind: List\nitems: 3', want: 'items is a list' },
    {
      name: 'a source that is no list',
      text: kubernetes('{ podSelector: {}, ingress: [{ from: { ipBlock: { cidr: 192.0.2.0/24 } } }] }'),
      want: 'from is a list, not a mapping',
    },
    {
      name: 'a port that is no list',
      text: kubernetes('{ podSelector: {}, ingress: [{ ports: { port: 80 } }] }'),
      want: 'ports is a list, not a mapping',
    },
    {
      name: 'an exception that is no list',
      text: kubernetes('{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 192.0.2.0/24, except: 192.0.2.1/32 } }] }] }'),
      want: 'except is a list, not a single value',
    },
    {
      name: 'labels that are no mapping',
      text: kubernetes('{ podSelector: { matchLabels: [app] } }'),
      want: 'matchLabels is a mapping, not a list',
    },
    {
      name: 'types that are no list',
      text: kubernetes('{ podSelector: {}, policyTypes: Ingress }'),
      want: 'policyTypes is a list, not a single value',
    },
    { name: 'no specification', text: kubernetes('7'), want: 'spec is a mapping, not a single value' },
    {
      name: 'an entity that is no list',
      text: cilium('{ endpointSelector: {}, ingressDeny: [{ fromEntities: world }] }'),
      want: 'fromEntities is a list, not a single value',
    },
  ])('$name is a mistake: it is not taken as everybody', ({ text, want }) => {
    const { policy, entries } = read(text);
    expect(policy).toBeUndefined();
    expect(entries.filter((e) => e.status === 'error').flatMap((e) => e.reasons)).toEqual([want]);
  });

  test.each([
    { name: 'port 0', port: '{ port: 0 }', want: 'a port is a number from 1 to 65535' },
    { name: 'an end without a beginning', port: '{ endPort: 90 }', want: 'endPort without a port' },
  ])('$name of Kubernetes is not every port', ({ port, want }) => {
    const { policy, entries } = read(kubernetes(`{ podSelector: {}, ingress: [{ ports: [${port}] }] }`));
    expect(entries.filter((e) => e.status === 'unsupported').flatMap((e) => e.reasons)).toEqual([want]);
    expect(policy?.rules.filter((r) => r.action['action'] === 'allow' && r.match.state === undefined)).toEqual([]);
  });

  test('a list without manifests is no mistake', () => {
    expect(read('apiVersion: v1\nkind: List\nitems: []\n').policy?.rules).toEqual([]);
  });

  test('other manifests are passed over; lists are read', () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- { apiVersion: apps/v1, kind: Deployment, metadata: { name: x } }\n- { apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: y }, spec: { podSelector: {} } }\n`;
    const { policy, entries } = read(list);
    expect(entries.map((e) => [e.status, e.where])).toEqual([
      ['nothing', 'Deployment x'],
      ['translated', 'NetworkPolicy default/y'],
    ]);
    expect(policy?.toFill.map((s) => s.name)).toEqual(['default_pods']);
  });
});

test('selectors become sets that say what they are to be filled with', () => {
  const from = (s: string): string => `{ namespaceSelector: ${s} }`;
  const text = kubernetes(
    `{ podSelector: { matchExpressions: [{ key: tier, operator: In, values: [b, a] }] }, ingress: [{ from: [${from('{}')}, ${from('{ matchLabels: { kubernetes.io/metadata.name: mon } }')}, ${from('{ matchLabels: { team: x } }')}] }] }`,
  );
  expect(read(text).policy?.toFill.map((s) => [s.name, s.purpose])).toEqual([
    ['prod_tier_in_a_b', 'addresses of the pods of namespace prod with tier in (a,b)'],
    ['all_pods', 'addresses of all pods of all namespaces'],
    ['mon_pods', 'addresses of all pods of namespace mon'],
    ['ns_team_x_pods', 'addresses of all pods of namespaces with team=x'],
  ]);
});
