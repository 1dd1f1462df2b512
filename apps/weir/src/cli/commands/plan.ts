import { writeFileSync } from 'node:fs';
import { describeChanges, type RuleChange, ruleChanges } from '../../compile/changes/index.ts';
import { printRule, ruleLabel } from '../../compile/describe/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { HookRules } from '../../model/rule.ts';
import { digestTexts, loadConfig, printDiagnostic, type Texts, textFiles } from '../../sources/config/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { plural } from '../render/units.ts';
import { behaviourChanges } from './behaviour.ts';
import type { PlanFile } from './plan-file.ts';

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
  const inForce = await withDaemon(options, (client) => client.call('generation', {}));
  const before = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
  const after = loadConfig(inForce.file);
  for (const d of after.diagnostics) io.err(`${printDiagnostic(d, after.sources)}\n`);
  if (!after.config) throw new CliError(EXIT.finding, `${inForce.file} has mistakes: there is nothing to plan`);
  if (!before.config) throw new CliError(EXIT.error, 'what is in force cannot be read any more by this version');
  const now = Date.now();
  const [was, willBe] = [judgement(before.config, now), judgement(after.config, now)];
  const texts: Texts = new Map([...after.sources.values()].map((source) => [source.file, source.text]));
  const rules = ruleChanges(was, willBe);
  const behaviour = behaviourChanges(was, willBe, options.limit ?? DEFAULT_LIMIT);
  const made: PlanFile = {
    format_version: 1,
    made: new Date(now).toISOString(),
    base: inForce.digest,
    digest: digestTexts(texts),
    file: inForce.file,
    changes: describeChanges(before.config, after.config),
    rules: rules.map(printChange),
    behaviour: behaviour.lines,
  };
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(made, undefined, 1)}\n`, { mode: 0o600 });
  if (options.output === 'json') await io.out(`${JSON.stringify(made)}\n`);
  else await io.out(render(made, rules, [was, willBe], behaviour.notes, options));
  const changes = made.base !== made.digest && (made.changes.length > 0 || made.rules.length > 0);
  return changes && options.detailed ? EXIT.finding : EXIT.ok;
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
  [was, willBe]: readonly [readonly HookRules[], readonly HookRules[]],
  notes: readonly string[],
  { palette, out }: PlanOptions,
): string {
  if (made.base === made.digest) return 'nothing changes: the files are what is in force\n';
  const colour = { '+': palette.green, '-': palette.red, '~': palette.yellow, '>': palette.dim } as Readonly<
    Record<string, (t: string) => string>
  >;
  const count = (hooks: readonly HookRules[]): number => hooks.reduce((sum, one) => sum + one.rules.length, 0);
  const lines = [
    ...made.changes.map((line) => `  ${escapeControl(line)}`),
    ...made.rules.map((line) => `  ${(colour[line.charAt(0)] ?? palette.dim)(escapeControl(line))}`),
    `${plural(rules.length, 'rule')} of ${count(was)} then, ${count(willBe)} now: ${summary(rules)}`,
    ...(made.behaviour.length === 0 ? ['no packet is judged otherwise'] : ['packets that would be judged otherwise:']),
    ...made.behaviour.map((line) => `  ${escapeControl(line)}`),
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
