import { type Family, parsePrefix } from '@weir/wire/inet';
import type { ConfigNode } from '../../yaml/tree.ts';
import type { Condition, Side } from '../condition.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { type AddressSet, intersectAddresses, noAddress, prefixRange } from '../ranges.ts';
import { readSelector, type SelectorSets } from './selectors.ts';
import { at, items, otherKeys, textOf } from './view.ts';

/** `{ cidr, except }`. */
export function readBlock(node: ConfigNode, side: Side): readonly Condition[] {
  const other = otherKeys(node, ['cidr', 'except'])[0];
  if (other !== undefined) throw new UntranslatableError(`${other} of a block of addresses is not known`);
  const set = readCidr(textOf(at(node, 'cidr')) ?? '');
  const except = items(at(node, 'except')).map((e): Condition => {
    const excluded = readCidr(textOf(e) ?? '');
    if (noAddress(intersectAddresses(excluded, set))) throw new UntranslatableError(`${textOf(e)} is not inside of the block`);
    return { kind: 'address', side, set: excluded, negated: true };
  });
  return [{ kind: 'address', side, set, negated: false }, ...except];
}

export function readCidr(text: string): AddressSet {
  const result = parsePrefix(text);
  if (result.ok) return prefixRange(result.prefix);
  if (result.error.kind === 'host-bits') return prefixRange(result.error.masked);
  throw new UntranslatableError(result.error.message);
}

/** `{ ipBlock }`, or `{ podSelector, namespaceSelector }` of Kubernetes. */
export function readPeer(node: ConfigNode, side: Side, namespace: string, sets: SelectorSets): readonly Condition[] {
  const other = otherKeys(node, ['ipBlock', 'podSelector', 'namespaceSelector'])[0];
  if (other !== undefined) throw new UntranslatableError(`${other} of a peer is not known`);
  const block = at(node, 'ipBlock');
  const pods = at(node, 'podSelector');
  const namespaces = at(node, 'namespaceSelector');
  if (block) {
    if (pods || namespaces) throw new UntranslatableError('a peer is either a block of addresses or selectors');
    return readBlock(block, side);
  }
  if (!pods && !namespaces) throw new UntranslatableError('a peer says nothing');
  const podTerms = pods ? readSelector(pods).terms : [];
  if (!namespaces) return [member(side, sets.pods({ namespace, namespaceTerms: [], terms: podTerms }))];
  const chosen = readSelector(namespaces);
  const only = chosen.namespace !== undefined && chosen.terms.length === 0 ? chosen.namespace : undefined;
  const namespaceTerms =
    chosen.namespace !== undefined && only === undefined
      ? [`kubernetes.io/metadata.name=${chosen.namespace}`, ...chosen.terms]
      : chosen.terms;
  return [member(side, sets.pods({ namespace: only, namespaceTerms: only === undefined ? namespaceTerms : [], terms: podTerms }))];
}

export function member(side: Side, set: string, negated = false): Condition {
  return { kind: 'member', side, set, negated };
}

/** An endpoint selector of Cilium; without a namespace it is of the policy's own (`undefined`: of all). */
export function readEndpoints(node: ConfigNode, namespace: string | undefined, sets: SelectorSets): string {
  const { terms, namespace: named } = readSelector(node);
  return sets.pods({ namespace: named ?? namespace, namespaceTerms: [], terms });
}

/** `world`, `cluster`, `host` and so on. Undefined: no packet. */
export function readEntity(name: string, side: Side, sets: SelectorSets): readonly Condition[] | undefined {
  const cluster = (): string => sets.named('cluster', 'addresses of all pods and nodes of the cluster');
  const family = (f: Family): Condition => ({ kind: 'family', family: f });
  switch (name) {
    case 'all':
      return [];
    case 'none':
      return undefined;
    case 'cluster':
      return [member(side, cluster())];
    case 'world':
      return [member(side, cluster(), true)];
    case 'world-ipv4':
      return [member(side, cluster(), true), family(4)];
    case 'world-ipv6':
      return [member(side, cluster(), true), family(6)];
    case 'host':
    case 'remote-node':
    case 'kube-apiserver':
    case 'ingress':
    case 'init':
    case 'health':
    case 'unmanaged':
      return [member(side, sets.named(`entity_${name}`, `addresses of Cilium's entity ${name}`))];
    default:
      throw new UntranslatableError(`the entity ${name} is not known`);
  }
}
