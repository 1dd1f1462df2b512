import type { ConfigNode } from '../../yaml/tree.ts';
import type { Condition } from '../condition.ts';
import { UntranslatableError } from '../iptables/values.ts';
import type { ClauseAction } from '../program.ts';
import { type Entry, note } from '../report.ts';
import type { Manifest } from './documents.ts';
import { type Direction, peerSide, podSide, pushProduct } from './isolation.ts';
import { attempt, entryOf, type Reading, readList } from './network-policy.ts';
import { member, readBlock, readCidr, readEndpoints, readEntity } from './peers.ts';
import { readIcmp, readPort } from './ports.ts';
import { at, isEmptyMap, items, otherKeys, textOf } from './view.ts';

/** A CiliumNetworkPolicy, or a CiliumClusterwideNetworkPolicy (of all namespaces). */
export function readCiliumPolicy(manifest: Manifest, reading: Reading, clusterwide: boolean): void {
  const { node } = manifest;
  const namespace = clusterwide ? undefined : (textOf(at(at(node, 'metadata'), 'namespace')) ?? 'default');
  const title = textOf(at(at(node, 'metadata'), 'name')) ?? '?';
  const name = clusterwide ? `CiliumClusterwideNetworkPolicy ${title}` : `CiliumNetworkPolicy ${namespace}/${title}`;
  const specs = [...(at(node, 'spec') ? [at(node, 'spec')] : []), ...items(at(node, 'specs'))];
  if (specs.length === 0) note(entryOf(reading, manifest, node, name, ''), 'there is no spec', 'unsupported');
  specs.forEach((spec, i) => {
    if (spec) readSpec(manifest, reading, spec, specs.length === 1 ? name : `${name} specs[${i}]`, namespace);
  });
}

const SPEC_KEYS: readonly string[] = [
  'endpointSelector',
  'nodeSelector',
  'ingress',
  'ingressDeny',
  'egress',
  'egressDeny',
  'enableDefaultDeny',
  'description',
  'labels',
  'log',
];

function readSpec(manifest: Manifest, reading: Reading, spec: ConfigNode, name: string, namespace: string | undefined): void {
  const entry = entryOf(reading, manifest, spec, name, textOf(at(spec, 'description')) ?? '');
  const other = otherKeys(spec, SPEC_KEYS)[0];
  if (other !== undefined) note(entry, `${other} is not known`, 'unsupported');
  if (at(spec, 'nodeSelector')) {
    note(
      entry,
      'policies of nodes are not imported: the pods of a node are seen at hook forward, the node itself at input and output',
      'unsupported',
    );
    return;
  }
  const selector = at(spec, 'endpointSelector');
  const set = attempt(entry, () => {
    if (!selector) throw new UntranslatableError('there is no endpointSelector');
    return readEndpoints(selector, namespace, reading.sets);
  });
  if (set === undefined) return;
  for (const direction of ['ingress', 'egress'] as const) {
    const allow = at(spec, direction);
    const deny = at(spec, `${direction}Deny`);
    if (!allow && !deny) continue;
    const selected = member(podSide(direction), set);
    const out = reading.clauses[direction];
    const isolates = textOf(at(at(spec, 'enableDefaultDeny'), direction)) !== 'false';
    if (isolates) out.isolated.push({ entry, conditions: [selected], limit: undefined, action: { kind: 'drop' }, comment: name });
    items(allow).forEach((rule, i) => {
      readRule({ manifest, reading, direction, namespace, selected, kind: 'accept' }, rule, `${name} ${direction}[${i}]`);
    });
    items(deny).forEach((rule, i) => {
      readRule({ manifest, reading, direction, namespace, selected, kind: 'drop' }, rule, `${name} ${direction}Deny[${i}]`);
    });
  }
}

interface RuleContext {
  readonly manifest: Manifest;
  readonly reading: Reading;
  readonly direction: Direction;
  readonly namespace: string | undefined;
  readonly selected: Condition;
  readonly kind: 'accept' | 'drop';
}

const UNSEEN: Readonly<Record<string, string>> = {
  toFQDNs: 'names are not addresses; fill a set from a list of them',
  toServices: 'services are not seen; fill a set with their addresses',
  fromGroups: 'groups of a cloud are not seen',
  toGroups: 'groups of a cloud are not seen',
  fromNodes: 'labels of nodes are not seen; use a block of addresses',
  toNodes: 'labels of nodes are not seen; use a block of addresses',
  fromRequires: 'requirements on other rules are not translated',
  toRequires: 'requirements on other rules are not translated',
  authentication: 'a policy does not authenticate',
};

function readRule(context: RuleContext, rule: ConfigNode, where: string): void {
  const { manifest, reading, direction, kind } = context;
  const prefix = direction === 'ingress' ? 'from' : 'to';
  const entry = entryOf(reading, manifest, rule, where, '');
  if (isEmptyMap(rule)) {
    note(entry, 'allows nothing: it only isolates the pods');
    return;
  }
  const peerKeys = ['Endpoints', 'CIDR', 'CIDRSet', 'Entities'].map((k) => `${prefix}${k}`);
  const other = otherKeys(rule, [...peerKeys, 'toPorts', 'icmps'])[0];
  if (other !== undefined || rule.kind !== 'map') {
    note(entry, other === undefined ? 'a rule is a map' : (UNSEEN[other] ?? `${other} is not known`), 'unsupported');
    return;
  }
  const peers = readPeers(context, rule, where, prefix);
  const ports = readPorts(context, rule, where);
  const action: ClauseAction = { kind };
  const out = reading.clauses[direction];
  pushProduct(kind === 'accept' ? out.allowed : out.denied, entry, context.selected, peers, ports, action);
}

/** Undefined: every peer. A list that is there and empty is none. */
function readPeers(context: RuleContext, rule: ConfigNode, where: string, prefix: string): readonly (readonly Condition[])[] | undefined {
  const { manifest, reading, direction, namespace } = context;
  const side = peerSide(direction);
  const readers: readonly [string, (node: ConfigNode) => readonly Condition[] | undefined][] = [
    ['Endpoints', (node) => [member(side, readEndpoints(node, namespace, reading.sets))]],
    ['CIDR', (node) => [{ kind: 'address', side, set: readCidr(textOf(node) ?? ''), negated: false }]],
    ['CIDRSet', (node) => readBlock(node, side)],
    ['Entities', (node) => readEntity(textOf(node) ?? '', side, reading.sets)],
  ];
  const given = readers.filter(([key]) => at(rule, `${prefix}${key}`) !== undefined);
  if (given.length === 0) return undefined;
  return given.flatMap(([key, read]) => readList(manifest, reading, at(rule, `${prefix}${key}`), `${where}.${prefix}${key}`, read) ?? []);
}

/** Undefined: every port. */
function readPorts(context: RuleContext, rule: ConfigNode, where: string): readonly (readonly Condition[])[] | undefined {
  const { manifest, reading } = context;
  const toPorts = at(rule, 'toPorts');
  const icmps = at(rule, 'icmps');
  if (!toPorts && !icmps) return undefined;
  const out: (readonly Condition[])[] = [];
  items(toPorts).forEach((group, i) => {
    const place = `${where}.toPorts[${i}]`;
    const entry = entryOf(reading, manifest, group, place, '');
    if (!seesPorts(group, entry)) return;
    const ports = readList(manifest, reading, at(group, 'ports'), `${place}.ports`, (port) => readPort(port, 'ANY'));
    // No ports in a group are every port.
    out.push(...(ports ?? [[]]));
  });
  items(icmps).forEach((group, i) => {
    out.push(...(readList(manifest, reading, at(group, 'fields'), `${where}.icmps[${i}].fields`, readIcmp) ?? []));
  });
  return out;
}

/** Whether a group of ports asks for nothing above layer 4. */
function seesPorts(group: ConfigNode, entry: Entry): boolean {
  const other = otherKeys(group, ['ports', 'rules'])[0];
  if (other !== undefined) {
    note(entry, `${other} is above layer 4, which a policy does not see`, 'unsupported');
    return false;
  }
  const rules = at(group, 'rules');
  if (rules === undefined || isEmptyMap(rules)) return true;
  const dns = items(at(rules, 'dns'));
  if (otherKeys(rules, ['dns']).length === 0 && dns.length > 0 && dns.some((r) => textOf(at(r, 'matchPattern')) === '*')) {
    note(entry, 'which names are asked for is not seen: every DNS question is allowed, as the pattern * does', 'approximated');
    return true;
  }
  const kinds = otherKeys(rules, []).join(', ');
  note(entry, `rules on layer 7 (${kinds}) are not translated; nothing is allowed in their place`, 'unsupported');
  return false;
}
