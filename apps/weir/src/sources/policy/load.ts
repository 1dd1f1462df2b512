import type { IrSpan } from '@weir/filter/ir';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { DefaultsAt, Policy, PolicyRule } from '../../model/policy.ts';
import type { SourceSpan } from '../../model/provenance.ts';
import { type Files, matchFiles } from '../yaml/files.ts';
import { Reading } from '../yaml/reading.ts';
import { Seen } from '../yaml/seen.ts';
import type { Item, Table } from '../yaml/shape.ts';
import { type Place, SourceText, spanOf } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import { type BuiltRule, buildRule, type RefuseHook } from './build-rule.ts';
import { checkDefaults } from './check-defaults.ts';
import { HOOKS } from './check-hooks.ts';
import { checkOrder } from './check-order.ts';
import { Lists, type SetType } from './lists.ts';
import type { RawPolicy } from './raw.ts';
import { placeInScalar } from './scalar-place.ts';
import { policyShape } from './schema.ts';
import { type PolicyTables, readTables } from './tables.ts';

/** Bounds of a policy: one file and all of them in bytes, their number, its rules, and the members of lists that stand in them. */
export const MAX_POLICY_FILE_BYTES: number = 16 * 1024 * 1024;
export const MAX_POLICY_BYTES: number = 32 * 1024 * 1024;
export const MAX_POLICY_FILES = 1024;
export const MAX_RULES = 50_000;
const MAX_INLINED = 2_000_000;
const BOUNDS = {
  fileBytes: MAX_POLICY_FILE_BYTES,
  totalBytes: MAX_POLICY_BYTES,
  tree: { tokens: 3_000_000, values: 2_000_000 },
};

export interface PolicyOptions {
  /** The named sets that something else fills, with what they hold: what `$name` may stand for besides the lists of the files. */
  readonly sets?: ReadonlyMap<string, SetType> | undefined;
  /** Names of sets that are not in the table that Weir owns, and so cannot be used. */
  readonly elsewhere?: ReadonlySet<string> | undefined;
  /** Hooks that the configuration attaches to nothing; without it rules may be at any. */
  readonly refuses?: RefuseHook | undefined;
  /** Milliseconds since the epoch, for rules whose time is over. */
  readonly now: number;
}

/** The result of loading: `policy` is there exactly when no diagnostic is an error. `sources` are the texts that spans point into, by file. */
export interface LoadedPolicy {
  readonly policy: Policy | undefined;
  /** The named sets that the policy uses. */
  readonly uses: ReadonlySet<string>;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceText>;
  /** Where a stretch of the `expression:` of a rule, called by its ref, is written. */
  readonly locate: (ref: string, span: IrSpan) => SourceSpan | undefined;
}

/** A file to load, and where it is named. */
export interface PolicyFile {
  readonly path: string;
  readonly place: Place;
}

/** One file, read key by key. */
interface Part {
  readonly file: string;
  readonly table: Table<RawPolicy>;
}

/** Loads policy files and everything that they include as one policy. Never throws for what a file contains; every mistake is a diagnostic. */
export function loadPolicy(files: readonly (string | PolicyFile)[], system: Files, options: PolicyOptions): LoadedPolicy {
  const places = files.map((file) =>
    typeof file === 'string' ? { path: file, place: { source: new SourceText(file, ''), start: 0, end: 0 } } : file,
  );
  return new PolicyLoader(places, system, options).load();
}

class PolicyLoader {
  readonly #files: readonly PolicyFile[];
  readonly #system: Files;
  readonly #options: PolicyOptions;
  readonly #reading: Reading;
  readonly #parts: Part[] = [];
  readonly #named = new Set<string>();

  constructor(files: readonly PolicyFile[], system: Files, options: PolicyOptions) {
    this.#files = files;
    this.#system = system;
    this.#options = options;
    this.#reading = new Reading(system, BOUNDS, 'the policy');
  }

  load(): LoadedPolicy {
    const reading = this.#reading;
    for (const { path, place } of this.#files) this.#read(path, place, undefined);
    const lists = new Lists(this.#options.sets ?? new Map(), this.#options.elsewhere ?? new Set());
    for (const { table } of this.#parts)
      for (const { name, place, value } of table.get.lists) lists.add(name, value, place, reading.report);
    const refs = checkNames(this.#parts, reading.report);
    const built = this.#buildRules(lists, readTables(this.#parts, this.#system, reading.report));
    built.sort((a, b) => a.rule.priority - b.rule.priority);
    checkOrder(built, refs, reading.report);
    lists.reportUnused(reading.report);
    const policy = this.#assemble(built.map(({ rule }) => rule));
    checkDefaults(built, policy, reading.report);
    const diagnostics = reading.diagnostics(this.#files[0]?.path ?? '');
    return {
      policy: reading.errors > 0 ? undefined : policy,
      uses: lists.setsInUse(),
      diagnostics,
      sources: reading.sources,
      locate: locator(built),
    };
  }

  /** One file, and after it what it includes; `from` is where it was named, `by` the file that did. */
  #read(file: string, from: Place, by: string | undefined): void {
    const reading = this.#reading;
    if (this.#named.has(file)) {
      reading.report('E020', from, `${file} is already part of the policy`);
      return;
    }
    this.#named.add(file);
    if (this.#named.size > MAX_POLICY_FILES) {
      if (this.#named.size === MAX_POLICY_FILES + 1) reading.report('E002', from, `more than ${MAX_POLICY_FILES} files make the policy`);
      return;
    }
    const tree = reading.parse(file, from);
    if (!tree) return;
    const table = policyShape().read(tree, { ...tree.place, end: tree.place.start }, reading.report);
    if (!table) return;
    this.#parts.push({ file, table });
    for (const item of table.get.include) {
      if (by !== undefined) reading.report('E026', item.place, 'an included file cannot include others');
      else this.#include(file, item);
    }
  }

  #include(file: string, { value, place }: Item<string>): void {
    const { report } = this.#reading;
    const errors = this.#reading.errors;
    const found = matchFiles(this.#system, file, value, place, report);
    if (found.length === 0 && this.#reading.errors === errors) report('W013', place, `no file matches ${value}`);
    for (const path of found) this.#read(path, place, file);
  }

  #buildRules(lists: Lists, tables: PolicyTables): BuiltRule[] {
    const { report } = this.#reading;
    const out: BuiltRule[] = [];
    const excess = this.#parts.flatMap(({ table }) => table.get.rules)[MAX_RULES];
    if (excess) {
      report('E040', excess.place, `more than ${MAX_RULES} rules`);
      return out;
    }
    for (const { file, table } of this.#parts) {
      const context = {
        lists,
        tables,
        file,
        system: this.#system,
        audit: table.get.mode === 'audit',
        now: this.#options.now,
        refuses: this.#options.refuses,
        report,
      };
      for (const { value, place } of table.get.rules) {
        const rule = buildRule(value, context);
        if (rule) out.push(rule);
        if (lists.inlined > MAX_INLINED) {
          report(
            'E040',
            place,
            `the members of lists stand more than ${MAX_INLINED} times in rules`,
            'a set of the daemon is not repeated in every rule',
          );
          return out;
        }
      }
    }
    return out;
  }

  #assemble(rules: readonly PolicyRule[]): Policy {
    const { report } = this.#reading;
    const stated = this.#parts.filter(({ table }) => table.get.default_action !== undefined);
    const first = stated[0]?.table;
    for (const { table } of stated.slice(1)) {
      if (!first || table.get.default_action === first.get.default_action) continue;
      const at = spanOf(first.place('default_action'));
      report('E030', table.place('default_action'), `default_action is already ${first.get.default_action} at ${at.file}:${at.line}`);
    }
    return {
      files: this.#parts.map((part) => part.file),
      defaultAction: first?.get.default_action ?? 'deny',
      defaultSpan: first && spanOf(first.place('default_action')),
      ...this.#defaultsAt(),
      defaultAudit: this.#parts.length > 0 && this.#parts.every(({ table }) => table.get.mode === 'audit'),
      generatedAt: this.#parts.find(({ table }) => table.get.generated_at !== undefined)?.table.get.generated_at,
      rules,
    };
  }

  /** Defaults of single hooks; files that state one must agree. */
  #defaultsAt(): Pick<Policy, 'defaultsAt'> {
    const found: { -readonly [H in keyof DefaultsAt]: DefaultsAt[H] } = {};
    for (const { table } of this.#parts) {
      const at = table.get.default_action_at;
      for (const hook of HOOKS) {
        const action = at?.get[hook];
        if (!at || action === undefined) continue;
        const first = found[hook];
        if (!first) found[hook] = { action, span: spanOf(at.place(hook)) };
        else if (first.action !== action) {
          const message = `default_action_at.${hook} is already ${first.action} at ${first.span.file}:${first.span.line}`;
          this.#reading.report('E030', at.place(hook), message);
        }
      }
    }
    return Object.keys(found).length === 0 ? {} : { defaultsAt: found };
  }
}

function locator(built: readonly BuiltRule[]): LoadedPolicy['locate'] {
  return (ref, span) => {
    const found = built.find(({ rule }) => rule.ref === ref);
    const written = found?.rule.fields.expression;
    return found && written !== undefined
      ? spanOf(placeInScalar(found.table.place('expression'), written, span.start, span.end))
      : undefined;
  };
}

/** Names and refs are each one rule's alone; the refs are returned. */
function checkNames(parts: readonly Part[], report: Report): ReadonlySet<string> {
  const names = new Seen();
  const refs = new Seen();
  const all = new Set<string>();
  for (const { value } of parts.flatMap(({ table }) => table.get.rules)) {
    const rule = value.table;
    const { name } = rule.get;
    const first = name === undefined ? undefined : names.add(name, rule.place('name'));
    if (first) report('E020', rule.place('name'), `a rule is already called ${name} ${first}`);
    const ref = rule.get.ref ?? name;
    if (ref === undefined) continue;
    all.add(ref);
    const place = rule.at.ref ?? rule.place('name');
    const used = refs.add(ref, place);
    if (used && !(first && rule.at.ref === undefined)) report('E020', place, `the ref ${ref} is already used ${used}`);
  }
  return all;
}
