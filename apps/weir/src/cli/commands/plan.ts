import { writeFileSync } from 'node:fs';
import { describeChanges, type RuleChange, ruleChanges } from '../../compile/changes/index.ts';
import { printRule, ruleLabel } from '../../compile/describe/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import type { HookRules } from '../../model/rule.ts';
import { type Scope, scopes } from '../../model/scopes.ts';
import { digestTexts, loadConfig, printDiagnostic, type Texts, textFiles } from '../../sources/config/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { plural } from '../render/units.ts';
import { type Behaviour, behaviourChanges } from './behaviour.ts';
import type { PlanFile } from './plan-file.ts';
import { flowPart, plannedFlows } from './plan-flows.ts';

export interface PlanOptions extends ViewOptions {
  /** Where the plan is written to. */
  readonly out: string | undefined;
  /** Packets that are shown at most. */
  readonly limit: number | undefined;
  /** Exit code 2 when something would change. */
  readonly detailed: boolean;
}

const DEFAULT_LIMIT = 50;

/** Compares what is in force with the files as they are now. */
export async function plan(options: PlanOptions, io: Io): Promise<ExitCode> {
  const { inForce, flows } = await withDaemon(options, async (client) => ({
    inForce: await client.call('generation', {}),
    flows: await plannedFlows(client, options.limit ?? DEFAULT_LIMIT),
  }));
  const before = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
  const after = loadConfig(inForce.file);
  for (const d of after.diagnostics) io.err(`${printDiagnostic(d, after.sources)}\n`);
  if (!after.usable) throw new CliError(EXIT.finding, `${inForce.file} has mistakes: there is nothing to plan`);
  if (!before.usable) throw new CliError(EXIT.error, 'what is in force cannot be read any more by this version');
  const now = Date.now();
  const config = keepFaulty(before.usable, after.usable);
  for (const { name } of after.usable.faultyTenants) io.err(`tenant ${name}: it has mistakes, and stays as it is\n`);
  const parts = compareScopes(before.usable, config, now, options.limit ?? DEFAULT_LIMIT);
  const texts: Texts = new Map([...after.sources.values()].map((source) => [source.file, source.text]));
  const rules = parts.flatMap((part) => part.rules);
  const behaviour = { lines: parts.flatMap((part) => part.behaviour.lines), notes: parts.flatMap((part) => part.behaviour.notes) };
  const digest = digestTexts(texts);
  const made: PlanFile = {
    format_version: 1,
    made: new Date(now).toISOString(),
    base: inForce.digest,
    digest,
    file: inForce.file,
    changes: describeChanges(before.usable, config),
    rules: parts.flatMap((part) => part.lines),
    behaviour: behaviour.lines,
    ...flowPart(flows, digest),
  };
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(made, undefined, 1)}\n`, { mode: 0o600 });
  if (options.output === 'json') await io.out(`${JSON.stringify(made)}\n`);
  else await io.out(render(made, rules, parts, behaviour.notes, options));
  const changes = made.base !== made.digest && made.changes.length + made.rules.length + (made.flows?.length ?? 0) > 0;
  return changes && options.detailed ? EXIT.finding : EXIT.ok;
}

/** What would be other than before in one namespace. */
interface ScopeChanges {
  readonly was: readonly HookRules[];
  readonly willBe: readonly HookRules[];
  readonly rules: readonly RuleChange[];
  readonly lines: readonly string[];
  readonly behaviour: Behaviour;
}

/** The daemon's own rules and those of each tenant; what is said of a tenant's has its name. */
function compareScopes(before: Config, after: Config, now: number, limit: number): readonly ScopeChanges[] {
  const [old, next] = [scopes(before), scopes(after)];
  const names = new Set([...next, ...old].map((one) => one.tenant));
  let left = limit;
  return [...names].map((tenant) => {
    const rulesOf = (list: readonly Scope[]): readonly HookRules[] => {
      const found = list.find((one) => one.tenant === tenant);
      return found ? judgement(found.config, now) : [];
    };
    const [was, willBe] = [rulesOf(old), rulesOf(next)];
    const rules = ruleChanges(was, willBe);
    const of = (line: string): string => (tenant === undefined ? line : `tenant ${tenant}: ${line}`);
    const { lines, notes } = behaviourChanges(was, willBe, left);
    left -= lines.length;
    // The sign comes first: it is what colours the line.
    const text = (line: string): string => (tenant === undefined ? line : `${line.slice(0, 2)}${of(line.slice(2))}`);
    return { was, willBe, rules, lines: rules.map(printChange).map(text), behaviour: { lines: lines.map(of), notes: notes.map(of) } };
  });
}

/** Tenants that have mistakes now stay as they are. */
function keepFaulty(before: Config, after: Config): Config {
  const faulty = new Set(after.faultyTenants.map(({ name }) => name));
  return { ...after, tenants: [...after.tenants, ...before.tenants.filter(({ name }) => faulty.has(name))] };
}

/** `+ input web#20 allow: tcp.dstport == 443`. */
function printChange({ kind, hook, before, after, what }: RuleChange): string {
  const rule = after ?? before;
  const [sign, text] = [{ added: '+', removed: '-', changed: '~', moved: '>' }[kind], rule ? printRule(rule) : ''];
  if (kind === 'changed' && rule) return `${sign} ${hook} ${ruleLabel(rule)}: ${what.join('; ')}`;
  return `${sign} ${hook} ${text}`;
}

function render(
  made: PlanFile,
  rules: readonly RuleChange[],
  parts: readonly ScopeChanges[],
  notes: readonly string[],
  { palette, out }: PlanOptions,
): string {
  if (made.base === made.digest) return 'nothing changes: the files are what is in force\n';
  const colour = { '+': palette.green, '-': palette.red, '~': palette.yellow, '>': palette.dim } as Readonly<
    Record<string, (t: string) => string>
  >;
  const count = (of: (part: ScopeChanges) => readonly HookRules[]): number =>
    parts.flatMap(of).reduce((sum, one) => sum + one.rules.length, 0);
  const lines = [
    ...made.changes.map((line) => `  ${escapeControl(line)}`),
    ...made.rules.map((line) => `  ${(colour[line.charAt(0)] ?? palette.dim)(escapeControl(line))}`),
    `${plural(rules.length, 'rule')} of ${count((part) => part.was)} then, ${count((part) => part.willBe)} now: ${summary(rules)}`,
    ...(made.behaviour.length === 0 ? ['no packet is judged otherwise'] : ['packets that would be judged otherwise:']),
    ...made.behaviour.map((line) => `  ${escapeControl(line)}`),
    ...(made.behaviour.length === 0
      ? []
      : [palette.dim('connections that are there go on, unless weir apply --flush-states cuts those that would be denied')]),
    ...(made.flows ?? []).map((line) => `  ${(colour[line.charAt(0)] ?? palette.dim)(escapeControl(line))}`),
    ...notes.map((line) => palette.dim(escapeControl(line))),
    ...(out === undefined ? [] : [`written to ${out}: weir apply ${out}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function summary(rules: readonly RuleChange[]): string {
  const kinds = ['added', 'removed', 'changed', 'moved'] as const;
  const parts = kinds.map((kind) => [kind, rules.filter((one) => one.kind === kind).length] as const).filter(([, n]) => n > 0);
  return parts.length === 0 ? 'no rule changes' : parts.map(([kind, n]) => `${n} ${kind}`).join(', ');
}
