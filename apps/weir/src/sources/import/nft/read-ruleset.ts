import type { Family } from '@weir/wire/inet';
import { MAX_ITEMS } from '../limits.ts';
import { type BaseChain, type Chain, type Clause, HOOKS, type Program } from '../program.ts';
import { type Entry, makeEntry, note } from '../report.ts';
import { get, getNumber, getString, type Json, listOf, single } from './json.ts';
import { jsonMistake } from './json-mistake.ts';
import { readRule } from './read-rule.ts';
import { SetTable } from './set-table.ts';

interface Item {
  readonly kind: string;
  readonly object: Json;
  readonly entry: Entry;
}

interface ChainDraft {
  readonly entry: Entry;
  readonly object: Json;
  readonly clauses: Clause[];
}

/** Reads what `nft -j list ruleset` printed. Every object has its entry; nothing is thrown. */
export function readRuleset(text: string, file: string): Program {
  const parsed = parse(text, file);
  if ('entry' in parsed) return { baseChains: [], sets: [], entries: [parsed.entry] };
  const items = parsed.items;
  const sets = new SetTable();
  for (const { kind, object } of items) if (kind === 'set' || kind === 'map' || kind === 'limit') sets.add(kind, object);
  const chains = new Map<string, ChainDraft>();
  for (const { kind, object, entry } of items)
    if (kind === 'chain') chains.set(chainKey(object, getString(object, 'name')), { entry, object, clauses: [] });
  for (const { kind, object, entry } of items) {
    if (kind !== 'rule') continue;
    const chain = chains.get(chainKey(object, getString(object, 'chain')));
    const why = chain ? notFiltering(chain.object) : 'its chain is not in the ruleset';
    if (why !== undefined) note(entry, why, chain ? 'unsupported' : 'error');
    else
      chain?.clauses.push(
        ...readRule(object, entry, { family: getString(object, 'family') ?? '', table: getString(object, 'table') ?? '', sets }),
      );
  }
  return { baseChains: baseChainsOf(chains), sets: sets.named, entries: items.map((i) => i.entry) };
}

/** The objects of the listing; or the entry that says why it is none. */
function parse(text: string, file: string): { readonly items: readonly Item[] } | { readonly entry: Entry } {
  let root: Json;
  try {
    root = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { entry: syntaxEntry(text, file) };
  }
  const list = get(root, 'nftables');
  if (!Array.isArray(list)) return { entry: refused(file, 1, 'not what `nft -j list ruleset` prints: the key nftables is needed') };
  if (list.length > MAX_ITEMS) return { entry: refused(file, 1, `more than ${MAX_ITEMS} objects, which is the limit of an import`) };
  return { items: list.map((value: Json) => readItem(value, file)) };
}

function refused(file: string, line: number, reason: string): Entry {
  const entry = makeEntry(file, line, '', { where: 'the file' });
  note(entry, reason, 'error');
  return entry;
}

function syntaxEntry(text: string, file: string): Entry {
  const at = jsonMistake(text);
  const before = text.slice(0, at).split('\n');
  const entry = refused(
    file,
    before.length,
    at < text.length ? `not JSON: ${JSON.stringify(text.slice(at, at + 10))} is not expected here` : 'not JSON: the text ends too early',
  );
  entry.column = (before.at(-1)?.length ?? 0) + 1;
  return entry;
}

function readItem(value: Json, file: string): Item {
  const [kind, object] = single(value) ?? ['', undefined];
  const name = [getString(object, 'family'), getString(object, 'table'), getString(object, 'chain') ?? getString(object, 'name')].filter(
    (w) => w !== undefined,
  );
  const handle = getNumber(object, 'handle');
  const where =
    kind === 'rule' ? `rule ${handle === undefined ? '' : `handle ${handle} `}of ${name.join(' ')}` : `${kind} ${name.join(' ')}`;
  const status = kind === 'metainfo' ? 'nothing' : 'translated';
  const entry = makeEntry(file, 0, kind === 'rule' ? JSON.stringify(get(object, 'expr') ?? null) : shown(kind, object), { status, where });
  if (kind === '') note(entry, 'not an object of nft', 'error');
  else if (!KINDS.has(kind)) note(entry, `objects of kind ${kind} are not imported`, 'unsupported');
  return { kind, object, entry };
}

const KINDS: ReadonlySet<string> = new Set(['metainfo', 'table', 'chain', 'rule', 'set', 'map', 'element', 'counter', 'limit']);

function shown(kind: string, object: Json): string {
  if (kind === 'chain') {
    const hook = getString(object, 'hook');
    return hook === undefined
      ? ''
      : `type ${getString(object, 'type')} hook ${hook} priority ${getNumber(object, 'prio')} policy ${getString(object, 'policy') ?? 'accept'}`;
  }
  return kind === 'set' || kind === 'map' ? `${listOf(get(object, 'elem') ?? []).length} elements` : '';
}

function chainKey(object: Json, name: string | undefined): string {
  return JSON.stringify([getString(object, 'family'), getString(object, 'table'), name]);
}

/** Why the chain is not one whose rules filter IP packets at a hook of a policy. */
function notFiltering(chain: Json): string | undefined {
  const family = getString(chain, 'family');
  if (family !== 'ip' && family !== 'ip6' && family !== 'inet')
    return `tables of family ${family} do not filter IP packets at hooks that a policy has`;
  const hook = getString(chain, 'hook');
  if (hook === undefined) return undefined;
  const type = getString(chain, 'type');
  if (type === 'nat') return 'chains of type nat translate addresses; they are not filtering';
  return HOOKS.some((h) => h === hook) ? undefined : `a policy has no hook ${hook}`;
}

function baseChainsOf(drafts: ReadonlyMap<string, ChainDraft>): readonly BaseChain[] {
  const made = new Map<string, Chain>();
  const tables = new Map<string, Map<string, Chain>>();
  for (const [key, { entry, object, clauses }] of drafts) {
    const name = getString(object, 'name') ?? '';
    const chain: Chain = { name, entry, clauses };
    made.set(key, chain);
    const table = chainKey(object, '');
    const callable = tables.get(table) ?? new Map<string, Chain>();
    callable.set(name, chain);
    tables.set(table, callable);
  }
  const out: BaseChain[] = [];
  for (const [key, { entry, object }] of drafts) {
    const hook = HOOKS.find((h) => h === getString(object, 'hook'));
    const chain = made.get(key);
    const why = notFiltering(object);
    if (why !== undefined) {
      note(entry, why, 'unsupported');
      continue;
    }
    if (hook === undefined || !chain) continue;
    const family: Family | undefined = getString(object, 'family') === 'ip' ? 4 : getString(object, 'family') === 'ip6' ? 6 : undefined;
    const policy = getString(object, 'policy') === 'drop' ? 'drop' : 'accept';
    out.push({
      hook,
      priority: getNumber(object, 'prio') ?? 0,
      family,
      policy,
      chain,
      callable: tables.get(chainKey(object, '')) ?? new Map(),
    });
  }
  return out;
}
