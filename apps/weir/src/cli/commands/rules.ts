import type { Hook } from '@weir/filter/scheme';
import type { FlowSummary } from '../../api/index.ts';
import { ruleFlags, ruleLabel } from '../../compile/describe/index.ts';
import { isEbpfHook } from '../../model/ebpf.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { loadConfig, textFiles } from '../../sources/config/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { KnownFlows } from '../explain/known-flows.ts';
import { explainScopes } from '../explain/scopes.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { actionText, isFlowsEnd } from '../render/flow-rule.ts';
import type { Palette } from '../render/paint.ts';
import { ruleJson, rulePlace } from '../render/rule.ts';
import { plural } from '../render/units.ts';

export interface RulesOptions extends ViewOptions {
  readonly hook: Hook | undefined;
  /** Only in its namespace; else in the daemon's own and in that of every tenant. */
  readonly tenant: string | undefined;
}

/** Rules of flow rules that are listed one by one. */
const MOST_FLOWS = 50;

interface Judged {
  readonly tenant: string | undefined;
  readonly at: HookRules;
}

/** The rules in force, at each hook in the order of judgement. */
export async function rules(options: RulesOptions, io: Io): Promise<ExitCode> {
  const { hook, output, palette, tenant } = options;
  const { inForce, flows } = await withDaemon(options, async (client) => ({
    inForce: await client.call('generation', {}),
    flows: await KnownFlows.of(client),
  }));
  const { usable } = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
  if (!usable) throw new CliError(EXIT.error, 'what is in force cannot be read by this version');
  const judged = explainScopes(usable, tenant, Date.now(), flows.list).flatMap((scope): Judged[] =>
    scope.hooks.filter((at) => hook === undefined || at.hook === hook).map((at) => ({ tenant: scope.tenant, at })),
  );
  if (output === 'json') await io.out(`${JSON.stringify({ format_version: 1, hooks: judged.map((one) => asJson(one, flows)) })}\n`);
  else await io.out(judged.map((one) => asText(one, flows, palette)).join(''));
  return EXIT.ok;
}

function asText({ tenant, at }: Judged, flows: KnownFlows, palette: Palette): string {
  // Programs of eBPF have no priority among base chains.
  const title = `${tenant === undefined ? '' : `${tenant} `}${at.hook}${isEbpfHook(at.hook) ? '' : `, priority ${at.priority}`}:`;
  const announced = at.rules.filter((rule) => flows.of(rule) !== undefined);
  const lines = at.rules.flatMap((rule) => {
    if (isFlowsEnd(rule)) return [];
    if (flows.of(rule) === undefined) return [line(rule, palette)];
    if (announced.length <= MOST_FLOWS) return [flowLine(rule, flows, palette)];
    return rule === announced[0] ? [flowsLine(announced, flows)] : [];
  });
  return [palette.bold(escapeControl(title)), ...lines.map((text) => `  ${text}`)].map((text) => `${text}\n`).join('');
}

/** A rule of an announced flow rule, with who announced it and what it has counted. */
function flowLine(rule: Rule, flows: KnownFlows, palette: Palette): string {
  const [summary, counted] = [flows.of(rule), flows.counted(rule)];
  const text = `${rule.name} ${[actionText(rule), ...ruleFlags(rule)].join(', ')}${counted ? `; ${plural(counted.packets, 'packet')}, ${plural(counted.bytes, 'byte')}` : ''}`;
  return escapeControl(text) + palette.dim(` (${escapeControl(`from ${summary?.peer ?? ''}`)})`);
}

/** Thousands of rules that nobody reads one by one. */
function flowsLine(rules: readonly Rule[], flows: KnownFlows): string {
  const kinds = new Map<string, number>();
  const announcements = new Set<FlowSummary>();
  let [packets, bytes] = [0, 0];
  for (const rule of rules) {
    const summary = flows.of(rule);
    const counted = flows.counted(rule);
    packets += counted?.packets ?? 0;
    bytes += counted?.bytes ?? 0;
    if (!summary || announcements.has(summary)) continue;
    announcements.add(summary);
    for (const action of summary.treatment) {
      const kind = action.split(' ', 1)[0] ?? '';
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  }
  const each = [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return escapeControl(
    `${plural(announcements.size, 'flow rule')} of peers (${each}), ${plural(packets, 'packet')}, ${plural(bytes, 'byte')}: weir flow show`,
  );
}

function line(rule: Rule, palette: Palette): string {
  const where = rulePlace(rule);
  const text = `${ruleLabel(rule)} ${[actionText(rule), ...ruleFlags(rule)].join(', ')}: ${rule.text || 'everything'}`;
  return escapeControl(text) + (where === undefined ? '' : palette.dim(` (${escapeControl(where)})`));
}

function asJson({ tenant, at }: Judged, flows: KnownFlows): unknown {
  return {
    ...(tenant === undefined ? {} : { tenant }),
    hook: at.hook,
    ...(isEbpfHook(at.hook) ? {} : { priority: at.priority }),
    rules: at.rules.map((rule) => ({
      ...ruleJson(rule),
      log: rule.log,
      ...(rule.sampling ? { sampling: rule.sampling } : {}),
      audit: rule.audit,
      ...flowJson(rule, flows),
    })),
  };
}

/** Who announced the flow rule that a rule is of, and what it has counted. */
function flowJson(rule: Rule, flows: KnownFlows): Record<string, unknown> {
  const summary = flows.of(rule);
  if (!summary) return {};
  const { flow, peer, actions, communities, as_path, since, stale } = summary;
  const counted = flows.counted(rule);
  return {
    flow: { flow, peer, actions, communities, as_path, since, stale },
    ...(counted ? { packets: counted.packets, bytes: counted.bytes } : {}),
  };
}
