import type { ConfigNode } from '../../yaml/tree.ts';
import type { Condition } from '../condition.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { type Entry, note } from '../report.ts';
import type { Manifest } from './documents.ts';
import { type Direction, type DirectionClauses, peerSide, podSide, pushProduct } from './isolation.ts';
import { member, readPeer } from './peers.ts';
import { readPort } from './ports.ts';
import { readSelector, type SelectorSets } from './selectors.ts';
import { at, items, otherKeys, textOf } from './view.ts';

/** Clauses by direction, the sets, and the entries of what was read. */
export interface Reading {
  readonly clauses: Readonly<Record<Direction, DirectionClauses>>;
  readonly sets: SelectorSets;
  readonly entries: Entry[];
}

/** Reads a part; what cannot be translated is noted in its entry. */
export function attempt<T>(entry: Entry, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UntranslatableError)) throw error;
    note(entry, error.message, 'unsupported');
    return undefined;
  }
}

export function entryOf(reading: Reading, manifest: Manifest, part: ConfigNode, where: string, text: string): Entry {
  const entry = manifest.entry(part, where, text);
  reading.entries.push(entry);
  return entry;
}

/** A NetworkPolicy of Kubernetes (networking.k8s.io/v1). */
export function readNetworkPolicy(manifest: Manifest, reading: Reading): void {
  const { node } = manifest;
  const namespace = textOf(at(at(node, 'metadata'), 'namespace')) ?? 'default';
  const name = `NetworkPolicy ${namespace}/${textOf(at(at(node, 'metadata'), 'name')) ?? '?'}`;
  const spec = at(node, 'spec');
  const entry = entryOf(reading, manifest, node, name, '');
  const other = otherKeys(spec, ['podSelector', 'policyTypes', 'ingress', 'egress'])[0];
  if (other !== undefined) note(entry, `${other} is not known`, 'unsupported');
  const selector = at(spec, 'podSelector');
  const terms = attempt(entry, () => (selector ? readSelector(selector).terms : []));
  if (!terms || !spec) {
    if (!spec) note(entry, 'there is no spec', 'unsupported');
    return;
  }
  const set = reading.sets.pods({ namespace, namespaceTerms: [], terms });
  for (const direction of directionsOf(spec)) {
    const selected = member(podSide(direction), set);
    reading.clauses[direction].isolated.push({ entry, conditions: [selected], limit: undefined, action: { kind: 'drop' }, comment: name });
    items(at(spec, direction)).forEach((rule, i) => {
      readRule(manifest, reading, rule, `${name} ${direction}[${i}]`, direction, selected, namespace);
    });
  }
}

/** Without policyTypes: ingress, and egress where there are rules for it. */
function directionsOf(spec: ConfigNode): readonly Direction[] {
  const types = at(spec, 'policyTypes');
  if (types === undefined) return at(spec, 'egress') === undefined ? ['ingress'] : ['ingress', 'egress'];
  const words = items(types).map((t) => textOf(t)?.toLowerCase());
  return (['ingress', 'egress'] as const).filter((d) => words.includes(d));
}

function readRule(
  manifest: Manifest,
  reading: Reading,
  rule: ConfigNode,
  where: string,
  direction: Direction,
  selected: Condition,
  namespace: string,
): void {
  const key = direction === 'ingress' ? 'from' : 'to';
  const entry = entryOf(reading, manifest, rule, where, '');
  const other = otherKeys(rule, [key, 'ports'])[0];
  if (other !== undefined || rule.kind !== 'map') {
    note(entry, other === undefined ? 'a rule is a map' : `${other} is not known`, 'unsupported');
    return;
  }
  const peers = readList(manifest, reading, at(rule, key), `${where}.${key}`, (peer) =>
    readPeer(peer, peerSide(direction), namespace, reading.sets),
  );
  const ports = readList(manifest, reading, at(rule, 'ports'), `${where}.ports`, (port) => readPort(port, 'TCP'));
  pushProduct(reading.clauses[direction].allowed, entry, selected, peers, ports, { kind: 'accept' });
}

/** Each item of a list with an entry of its own. Undefined where there is no list or an empty one: everything. */
export function readList(
  manifest: Manifest,
  reading: Reading,
  list: ConfigNode | undefined,
  where: string,
  read: (node: ConfigNode) => readonly Condition[] | undefined,
): readonly (readonly Condition[])[] | undefined {
  const all = items(list);
  if (all.length === 0) return undefined;
  return all.flatMap((node, i) => {
    const entry = entryOf(reading, manifest, node, `${where}[${i}]`, node.kind === 'scalar' ? node.text : '');
    const conditions = attempt(entry, () => read(node));
    return conditions ? [conditions] : [];
  });
}
