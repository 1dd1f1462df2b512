import type { ConfigNode } from '../../yaml/tree.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { hash } from '../policy-rule.ts';
import type { NamedSet } from '../program.ts';
import { setName } from '../set-name.ts';
import { at, items, otherKeys, textOf } from './view.ts';

/** Requirements on labels, each as words. */
export interface Selector {
  /** `app=web`, `tier in (a,b)`, in order. */
  readonly terms: readonly string[];
  /** The namespace that a label names, where one does. */
  readonly namespace: string | undefined;
}

const NAMESPACE_LABELS: ReadonlySet<string> = new Set([
  'io.kubernetes.pod.namespace',
  'kubernetes.io/metadata.name',
  'io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name',
]);

/** matchLabels and matchExpressions. Prefixes of Cilium's label sources (`k8s:`, `any:`) are taken off. */
export function readSelector(node: ConfigNode): Selector {
  if (node.kind !== 'map') throw new UntranslatableError('a selector is a map');
  const other = otherKeys(node, ['matchLabels', 'matchExpressions'])[0];
  if (other !== undefined) throw new UntranslatableError(`a selector has ${other}, which is not known`);
  const terms: string[] = [];
  let namespace: string | undefined;
  const labels = at(node, 'matchLabels');
  if (labels?.kind === 'map') {
    for (const { key, value } of labels.entries) {
      const label = plainLabel(key);
      const text = textOf(value) ?? '';
      if (NAMESPACE_LABELS.has(label)) namespace = text;
      else terms.push(text === '' ? label : `${label}=${text}`);
    }
  }
  for (const expression of items(at(node, 'matchExpressions'))) {
    const label = plainLabel(textOf(at(expression, 'key')) ?? '');
    const operator = textOf(at(expression, 'operator')) ?? '';
    const values = items(at(expression, 'values')).map((v) => textOf(v) ?? '');
    if (operator === 'In' && values.length === 1 && NAMESPACE_LABELS.has(label)) namespace = values[0];
    else if (operator === 'In' && values.length === 1) terms.push(`${label}=${values[0]}`);
    else if (operator === 'In' || operator === 'NotIn')
      terms.push(`${label} ${operator === 'In' ? 'in' : 'not in'} (${values.sort().join(',')})`);
    else if (operator === 'Exists') terms.push(`has ${label}`);
    else if (operator === 'DoesNotExist') terms.push(`no ${label}`);
    else throw new UntranslatableError(`the operator ${operator} of a selector is not known`);
  }
  return { terms: terms.sort(), namespace };
}

function plainLabel(key: string): string {
  return key.replace(/^(k8s|any|reserved)[:.]/, (prefix) => (prefix.startsWith('reserved') ? 'reserved_' : ''));
}

/** Which pods: of one namespace, of namespaces with some labels, or of all. */
export interface Pods {
  readonly namespace: string | undefined;
  readonly namespaceTerms: readonly string[];
  readonly terms: readonly string[];
}

/** The named sets that stand for selectors; the same selector is the same set. */
export class SelectorSets {
  readonly #sets = new Map<string, NamedSet>();
  readonly #taken = new Set<string>();

  get all(): readonly NamedSet[] {
    return [...this.#sets.values()];
  }

  /** `prod_app_web` for the pods with app=web of namespace prod. */
  pods({ namespace, namespaceTerms, terms }: Pods): string {
    const where = namespace === undefined ? (namespaceTerms.length === 0 ? 'all' : `ns_${words(namespaceTerms)}`) : namespace;
    const scope =
      namespace === undefined
        ? namespaceTerms.length === 0
          ? 'all namespaces'
          : `namespaces with ${namespaceTerms.join(', ')}`
        : `namespace ${namespace}`;
    const purpose = terms.length === 0 ? `addresses of all pods of ${scope}` : `addresses of the pods of ${scope} with ${terms.join(', ')}`;
    return this.named(`${where}_${terms.length === 0 ? 'pods' : words(terms)}`, purpose);
  }

  /** A set of its own for a purpose; `wish` is what it would best be called. */
  named(wish: string, purpose: string): string {
    const known = this.#sets.get(purpose);
    if (known) return known.name;
    const plain = setName(wish);
    const name =
      plain !== undefined && plain.length < 64 && !this.#taken.has(plain) ? plain : `${(plain ?? 'set').slice(0, 50)}_${hash(purpose)}`;
    this.#taken.add(name);
    this.#sets.set(purpose, { name, original: wish, members: undefined, purpose });
    return name;
  }
}

function words(terms: readonly string[]): string {
  return terms.join('_').replaceAll(' not in ', '_not_in_').replaceAll(' in ', '_in_').replace(/[=,]/g, '_').replace(/[()]/g, '');
}
