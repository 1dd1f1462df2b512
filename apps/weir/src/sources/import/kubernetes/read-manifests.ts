import type { ConfigNode } from '../../yaml/tree.ts';
import type { BaseChain, Chain, Clause, Program } from '../program.ts';
import { makeEntry, note } from '../report.ts';
import { readCiliumPolicy } from './cilium-policy.ts';
import { type Manifest, readDocuments } from './documents.ts';
import type { Direction } from './isolation.ts';
import { type Reading, readNetworkPolicy } from './network-policy.ts';
import { SelectorSets } from './selectors.ts';
import { misshapen } from './shape.ts';
import { at, textOf } from './view.ts';

/**
 * Network policies of Kubernetes and Cilium as what one node does with forwarded packets: what a pod may send is judged first, then what a pod may receive. A pod that no policy
 * selects in a direction is not judged in it. Never throws.
 */
export function readManifests(files: readonly { readonly file: string; readonly text: string }[]): Program {
  const none = (): Reading['clauses'][Direction] => ({ denied: [], allowed: [], isolated: [] });
  const reading: Reading = { clauses: { ingress: none(), egress: none() }, sets: new SelectorSets(), entries: [] };
  for (const { file, text } of files) {
    const { manifests, problems } = readDocuments(text, file);
    reading.entries.push(...problems);
    for (const manifest of manifests) readManifest(manifest, reading);
  }
  const first = files[0]?.file ?? '';
  const baseChains = (['egress', 'ingress'] as const).flatMap((direction, i): readonly BaseChain[] => {
    const { denied, allowed, isolated } = reading.clauses[direction];
    if (denied.length + isolated.length === 0) return [];
    return [baseChain(direction, first, [replies(first), ...denied, ...allowed, ...distinct(isolated)], i)];
  });
  return { baseChains, sets: reading.sets.all, entries: reading.entries };
}

function readManifest(manifest: Manifest, reading: Reading): void {
  const kind = textOf(at(manifest.node, 'kind'));
  if (kind === undefined) {
    refuse(manifest, reading, manifest.node, 'not a manifest: a mapping with apiVersion and kind is needed');
    return;
  }
  const version = textOf(at(manifest.node, 'apiVersion')) ?? '';
  if (kind.endsWith('List') && at(manifest.node, 'items') !== undefined) {
    refuse(manifest, reading, manifest.node, 'items is a list');
    return;
  }
  if (kind.endsWith('NetworkPolicy')) {
    const wrong = misshapen(manifest.node);
    for (const { node, message } of wrong) refuse(manifest, reading, node, message);
    if (wrong.length > 0) return;
  }
  if (kind === 'NetworkPolicy' && version.startsWith('networking.k8s.io/')) {
    readNetworkPolicy(manifest, reading);
    return;
  }
  const cilium = kind === 'CiliumNetworkPolicy' || kind === 'CiliumClusterwideNetworkPolicy';
  if (cilium && version.startsWith('cilium.io/')) {
    readCiliumPolicy(manifest, reading, kind !== 'CiliumNetworkPolicy');
    return;
  }
  const entry = manifest.entry(manifest.node, `${kind} ${textOf(at(at(manifest.node, 'metadata'), 'name')) ?? ''}`.trim(), version);
  const policy = kind.endsWith('NetworkPolicy');
  note(
    entry,
    policy ? `${kind} of ${version === '' ? 'no apiVersion' : version} is not imported` : 'not a network policy',
    policy ? 'unsupported' : 'nothing',
  );
  if (!policy) entry.status = 'nothing';
  reading.entries.push(entry);
}

function refuse(manifest: Manifest, reading: Reading, node: ConfigNode, message: string): void {
  const entry = manifest.entry(node, '', node.kind === 'scalar' ? node.text : '');
  note(entry, message, 'error');
  reading.entries.push(entry);
}

/** Pods that several policies isolate are isolated once. */
function distinct(clauses: readonly Clause[]): readonly Clause[] {
  const seen = new Map<string, Clause>();
  for (const clause of clauses) {
    const condition = clause.conditions[0];
    const key = condition?.kind === 'member' ? condition.set : '';
    const before = seen.get(key);
    if (!before) seen.set(key, clause);
    else
      seen.set(key, {
        ...before,
        comment: [before.comment, clause.comment]
          .filter((c) => c !== undefined)
          .join(', ')
          .slice(0, 400),
      });
  }
  return [...seen.values()];
}

function baseChain(name: string, file: string, clauses: readonly Clause[], priority: number): BaseChain {
  const chain: Chain = { name, entry: makeEntry(file, 0, '', { where: name }), clauses };
  return { hook: 'forward', priority, family: undefined, policy: 'accept', chain, callable: new Map([[name, chain]]) };
}

/** Answers to what was let through pass in every network policy. */
function replies(file: string): Clause {
  return {
    entry: makeEntry(file, 0, 'answers'),
    conditions: [{ kind: 'state', states: ['established', 'related'] }],
    limit: undefined,
    action: { kind: 'accept' },
    comment: 'answers to what was let through',
  };
}
