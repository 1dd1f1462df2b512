import type { Hook } from '@weir/filter/scheme';
import { printAction, ruleFlags, ruleLabel } from '../../compile/describe/index.ts';
import { isEbpfHook } from '../../model/ebpf.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { loadConfig, textFiles } from '../../sources/config/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { explainScopes } from '../explain/scopes.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { ruleJson, rulePlace } from '../render/rule.ts';

export interface RulesOptions extends ViewOptions {
  readonly hook: Hook | undefined;
  /** Only in its namespace; else in the daemon's own and in that of every tenant. */
  readonly tenant: string | undefined;
}

interface Judged {
  readonly tenant: string | undefined;
  readonly at: HookRules;
}

/** The rules in force, at each hook in the order of judgement. */
export async function rules(options: RulesOptions, io: Io): Promise<ExitCode> {
  const { hook, output, palette, tenant } = options;
  const inForce = await withDaemon(options, (client) => client.call('generation', {}));
  const { usable } = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
  if (!usable) throw new CliError(EXIT.error, 'what is in force cannot be read by this version');
  const judged = explainScopes(usable, tenant, Date.now()).flatMap((scope): Judged[] =>
    scope.hooks.filter((at) => hook === undefined || at.hook === hook).map((at) => ({ tenant: scope.tenant, at })),
  );
  if (output === 'json') await io.out(`${JSON.stringify({ format_version: 1, hooks: judged.map(asJson) })}\n`);
  else await io.out(judged.map((one) => asText(one, palette)).join(''));
  return EXIT.ok;
}

function asText({ tenant, at }: Judged, palette: Palette): string {
  // Programs of eBPF have no priority among base chains.
  const title = `${tenant === undefined ? '' : `${tenant} `}${at.hook}${isEbpfHook(at.hook) ? '' : `, priority ${at.priority}`}:`;
  return [palette.bold(escapeControl(title)), ...at.rules.map((rule) => `  ${line(rule, palette)}`)].map((text) => `${text}\n`).join('');
}

function line(rule: Rule, palette: Palette): string {
  const where = rulePlace(rule);
  const text = `${ruleLabel(rule)} ${[printAction(rule.action), ...ruleFlags(rule)].join(', ')}: ${rule.text || 'everything'}`;
  return escapeControl(text) + (where === undefined ? '' : palette.dim(` (${escapeControl(where)})`));
}

function asJson({ tenant, at }: Judged): unknown {
  return {
    ...(tenant === undefined ? {} : { tenant }),
    hook: at.hook,
    ...(isEbpfHook(at.hook) ? {} : { priority: at.priority }),
    rules: at.rules.map((rule) => ({
      ...ruleJson(rule),
      log: rule.log,
      ...(rule.sampling ? { sampling: rule.sampling } : {}),
      audit: rule.audit,
    })),
  };
}
