import type { ConfigNode } from '../../yaml/tree.ts';

type Kind = ConfigNode['kind'];

/** A value that is not of the kind that its key asks for. */
export interface Misshapen {
  readonly node: ConfigNode;
  readonly message: string;
}

const LISTS: readonly string[] = [
  ...[
    'specs',
    'policyTypes',
    'ingress',
    'egress',
    'ingressDeny',
    'egressDeny',
    'from',
    'to',
    'ports',
    'toPorts',
    'icmps',
    'fields',
    'except',
  ],
  ...['fromEndpoints', 'toEndpoints', 'fromCIDR', 'toCIDR', 'fromCIDRSet', 'toCIDRSet', 'fromEntities', 'toEntities'],
  ...['matchExpressions', 'values'],
];
const MAPS: readonly string[] = [
  ...[
    'metadata',
    'spec',
    'podSelector',
    'namespaceSelector',
    'endpointSelector',
    'nodeSelector',
    'matchLabels',
    'ipBlock',
    'enableDefaultDeny',
  ],
];
const SCALARS: readonly string[] = ['kind', 'apiVersion', 'name', 'namespace', 'cidr', 'port', 'endPort', 'protocol', 'operator', 'key'];
const ASKED: ReadonlyMap<string, Kind> = new Map([
  ...LISTS.map((key) => [key, 'list'] as const),
  ...MAPS.map((key) => [key, 'map'] as const),
  ...SCALARS.map((key) => [key, 'scalar'] as const),
]);

/** Keys whose values are the user's own, or are not looked into: below them no key is known. */
const OPAQUE: ReadonlySet<string> = new Set([
  'annotations',
  'labels',
  'matchLabels',
  'managedFields',
  'ownerReferences',
  'enableDefaultDeny',
  'rules',
  'status',
]);

const WORDS: Readonly<Record<Kind, string>> = { list: 'a list', map: 'a mapping', scalar: 'a single value' };

/** Values of the wrong kind in a manifest: left alone, a mapping where a list is meant would count as an empty list, which is everybody. */
export function misshapen(node: ConfigNode): readonly Misshapen[] {
  const found: Misshapen[] = [];
  collect(node, found);
  return found;
}

function collect(node: ConfigNode, found: Misshapen[]): void {
  if (node.kind === 'list') for (const item of node.items) collect(item, found);
  if (node.kind !== 'map') return;
  for (const { key, value } of node.entries) {
    const asked = ASKED.get(key);
    const missing = value.kind === 'scalar' && value.value === null;
    if (asked !== undefined && !missing && value.kind !== asked) {
      found.push({ node: value, message: `${key} is ${WORDS[asked]}, not ${WORDS[value.kind]}` });
    } else if (!OPAQUE.has(key)) collect(value, found);
  }
}
