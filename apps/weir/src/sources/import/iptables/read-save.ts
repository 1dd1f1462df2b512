import type { Family } from '@weir/wire/inet';
import { MAX_ITEMS } from '../limits.ts';
import type { BaseChain, Chain, Clause, ImportHook, NamedSet, Program } from '../program.ts';
import { type Entry, makeEntry, note } from '../report.ts';
import { readRule } from './read-rule.ts';
import type { RuleDraft } from './rule-draft.ts';
import { LineError, type Token, tokenize, Words } from './tokens.ts';

/** Tables in the order in which they are called. */
const PRIORITY: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 };

const BUILT_IN: Readonly<Record<string, ImportHook | 'postrouting'>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

const IN_TABLE: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

interface ChainDraft {
  readonly entry: Entry;
  readonly policy: 'accept' | 'drop' | undefined;
  /** Positions at which -I puts its rules are of the whole chain. */
  readonly lines: { readonly entry: Entry; readonly words: Words }[];
}

interface TableDraft {
  readonly name: string;
  readonly entry: Entry;
  readonly chains: Map<string, ChainDraft>;
  committed: boolean;
}

/** Reads what iptables-save (family 4) or ip6tables-save (6) printed. Every line has its entry; nothing is thrown. */
export function readSave(text: string, file: string, family: Family): Program {
  const entries: Entry[] = [];
  const tables: TableDraft[] = [];
  let table: TableDraft | undefined;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] ?? '').replace(/\r$/, '');
    if (i >= MAX_ITEMS) {
      const last = makeEntry(file, i + 1, line);
      note(last, `more than ${MAX_ITEMS} lines, which is the limit of an import`, 'error');
      entries.push(last);
      break;
    }
    const entry = makeEntry(file, i + 1, line, { status: 'nothing' });
    entries.push(entry);
    atLine(entry, () => {
      table = readLine(line, entry, table, tables);
    });
  }
  if (tables.length === 0 && !entries.some((e) => e.status === 'error')) {
    const empty = makeEntry(file, 1, '', { where: 'the file' });
    note(empty, 'there is no table in it', 'error');
    entries.push(empty);
  }
  for (const open of tables) if (!open.committed) note(open.entry, `table ${open.name} has no COMMIT`, 'error');
  const sets = new Map<string, NamedSet>();
  const baseChains = tables.flatMap((one) => readTable(one, family, sets));
  return { baseChains, sets: [...sets.values()], entries };
}

function atLine(entry: Entry, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    entry.column = error.column;
    note(entry, error.message, 'error');
  }
}

/** Gives the table that the next line is in. */
function readLine(line: string, entry: Entry, table: TableDraft | undefined, tables: TableDraft[]): TableDraft | undefined {
  const tokens = /^\s*(#|$)/.test(line) ? [] : tokenize(line);
  const first = tokens[0];
  if (!first) return table;
  if (first.text === 'COMMIT') {
    if (!table) throw new LineError(first.column, 'COMMIT outside of a table');
    table.committed = true;
    return undefined;
  }
  if (first.text.startsWith('*')) {
    if (table) throw new LineError(first.column, `table ${table.name} has no COMMIT before this`);
    const name = first.text.slice(1);
    if (!Object.hasOwn(PRIORITY, name)) throw new LineError(first.column, `there is no table "${name}"`);
    const made: TableDraft = { name, entry, chains: new Map(), committed: false };
    tables.push(made);
    return made;
  }
  if (!table) throw new LineError(first.column, 'a table is needed before this: *filter');
  if (first.text.startsWith(':')) declareChain(first.text.slice(1), tokens, entry, table);
  else addLine(tokens, entry, table);
  return table;
}

/** `:INPUT DROP [12:3456]`, `:my-chain - [0:0]`. */
function declareChain(name: string, tokens: readonly Token[], entry: Entry, table: TableDraft): void {
  const [first, policy, counters] = tokens;
  if (!first) return;
  if (name === '') throw new LineError(first.column, 'a chain needs a name');
  if (!policy) throw new LineError(first.column + first.text.length, 'a policy is needed: ACCEPT, DROP or -');
  if (counters && !/^\[\d{1,20}:\d{1,20}\]$/.test(counters.text))
    throw new LineError(counters.column, 'counters are written [packets:octets]');
  const builtIn = IN_TABLE[table.name]?.includes(name) ?? false;
  if (builtIn !== (policy.text !== '-')) {
    throw new LineError(
      policy.column,
      builtIn ? `chain ${name} needs a policy` : `only chains of the kernel have a policy; ${name} is none of table ${table.name}`,
    );
  }
  if (builtIn && policy.text !== 'ACCEPT' && policy.text !== 'DROP')
    throw new LineError(policy.column, `a policy is ACCEPT or DROP, not "${policy.text}"`);
  if (table.chains.has(name)) throw new LineError(first.column, `chain ${name} is there already`);
  entry.status = 'translated';
  table.chains.set(name, { entry, policy: policy.text === 'ACCEPT' ? 'accept' : policy.text === 'DROP' ? 'drop' : undefined, lines: [] });
}

/** `[0:0] -A INPUT ...`, also -I and -N. */
function addLine(tokens: readonly Token[], entry: Entry, table: TableDraft): void {
  const words = new Words(tokens);
  let command = words.next();
  if (command && /^\[\d{1,20}:\d{1,20}\]$/.test(command.text)) command = words.next();
  if (!command) throw new LineError(1, 'a command is needed after the counters');
  const known = ['-A', '--append', '-I', '--insert', '-N', '--new-chain'].includes(command.text);
  if (!known) throw new LineError(command.column, `iptables-save writes -A; "${command.text}" is not read`);
  const name = words.value(command);
  entry.status = 'translated';
  if (command.text === '-N' || command.text === '--new-chain') {
    if (table.chains.has(name.text)) throw new LineError(name.column, `chain ${name.text} is there already`);
    table.chains.set(name.text, { entry, policy: undefined, lines: [] });
    return;
  }
  const chain = table.chains.get(name.text) ?? builtInChain(name.text, table, entry);
  if (!chain) throw new LineError(name.column, `there is no chain ${name.text}`);
  if (command.text === '-A' || command.text === '--append') chain.lines.push({ entry, words });
  else {
    const position = words.optional();
    const at = position === undefined ? 1 : Number(position.text);
    if (!Number.isInteger(at) || at < 1 || at > chain.lines.length + 1)
      throw new LineError(position?.column ?? name.column, 'there is no such position in the chain');
    chain.lines.splice(at - 1, 0, { entry, words });
  }
}

/** A chain of the kernel is there whether it is declared or not. */
function builtInChain(name: string, table: TableDraft, entry: Entry): ChainDraft | undefined {
  if (!IN_TABLE[table.name]?.includes(name)) return undefined;
  const made: ChainDraft = { entry, policy: 'accept', lines: [] };
  table.chains.set(name, made);
  return made;
}

function readTable(table: TableDraft, family: Family, sets: Map<string, NamedSet>): readonly BaseChain[] {
  const { name, chains } = table;
  const names = new Set(chains.keys());
  const whole = name === 'nat' ? 'the nat table translates addresses; it is not filtering' : undefined;
  const callable = new Map<string, Chain>();
  for (const [chainName, draft] of chains) {
    const hook = Object.hasOwn(BUILT_IN, chainName) ? BUILT_IN[chainName] : undefined;
    const why = whole ?? (hook === 'postrouting' ? 'a policy has no hook after routing' : undefined);
    if (why !== undefined) {
      if (whole === undefined && draft.policy === 'drop') note(draft.entry, why, 'unsupported');
      else if (whole !== undefined) note(draft.entry, why, 'unsupported');
    }
    const clauses: Clause[] = [];
    for (const { entry, words } of draft.lines) {
      atLine(entry, () => {
        const rule: RuleDraft = {
          entry,
          family,
          table: name,
          hook: hook === 'postrouting' ? undefined : hook,
          conditions: [],
          protocol: undefined,
          limit: undefined,
          comment: undefined,
          action: undefined,
          sets: [],
        };
        const clause = readRule(rule, words, names);
        if (rule.action?.kind === 'jump' && rule.action.chain in BUILT_IN) note(entry, 'chains of the kernel cannot be called', 'error');
        if (why !== undefined) {
          // Whatever else there is to say of it does not matter.
          if (entry.status !== 'error') entry.reasons.length = 0;
          note(entry, why, 'unsupported');
          return;
        }
        for (const set of rule.sets) {
          sets.set(set.name, {
            name: set.name,
            original: set.original,
            members: undefined,
            purpose: `the members of ipset ${set.original}`,
          });
        }
        if (clause) clauses.push(clause);
      });
    }
    callable.set(chainName, { name: chainName, entry: draft.entry, clauses });
  }
  return baseChainsOf(name, chains, callable, family);
}

function baseChainsOf(
  table: string,
  drafts: ReadonlyMap<string, ChainDraft>,
  callable: ReadonlyMap<string, Chain>,
  family: Family,
): readonly BaseChain[] {
  if (table === 'nat') return [];
  const out: BaseChain[] = [];
  for (const name of IN_TABLE[table] ?? []) {
    const chain = callable.get(name);
    const hook = BUILT_IN[name];
    if (!chain || hook === undefined || hook === 'postrouting') continue;
    out.push({ hook, priority: PRIORITY[table] ?? 0, family, policy: drafts.get(name)?.policy ?? 'accept', chain, callable });
  }
  return out;
}
