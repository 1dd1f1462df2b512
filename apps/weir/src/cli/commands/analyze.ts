import { type Prefix, parsePrefix } from '@weir/wire/inet';
import {
  type Analysis,
  analyze as analyzeRules,
  type CidrList,
  FINDING_CODES,
  type Finding,
  type FindingKind,
  type NotAnalysed,
  type RuleMark,
} from '../../compile/analysis/index.ts';
import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Policy } from '../../model/policy.ts';
import type { SourceSpan } from '../../model/provenance.ts';
import { printDiagnostic, type SourceText } from '../../sources/config/index.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { exitOf, type LoadedFile, loadFiles } from '../load-any.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { sarif } from '../render/sarif.ts';
import { plural } from '../render/units.ts';
import { tenantsLeftOut } from '../tenants.ts';
import { printDiagnostics } from './check.ts';

export interface AnalyzeOptions {
  readonly output: 'text' | 'json' | 'sarif';
  readonly palette: Palette;
  /** The configuration whose sets policy files may name. */
  readonly config: string | undefined;
  /** Findings of the kinds that count that are still fine. */
  readonly threshold: number;
  readonly tenant?: string | undefined;
}

/** What makes a policy do something else than it says; the other kinds only make it longer. */
const COUNTED: ReadonlySet<FindingKind> = new Set(['shadowed', 'never-matches', 'conflict']);
/** Rules that were not analysed that are named in text. */
const MOST_NAMED = 10;

/**
 * Finds rules of a policy that do nothing, or not what they seem to. Exit code 2 when more findings count than the threshold says, or the files have mistakes; 1 when one
 * cannot be read.
 */
export async function analyze(files: readonly string[], options: AnalyzeOptions, io: Io): Promise<ExitCode> {
  const now = Date.now();
  const loaded = loadFiles(files, options.config, now, options.tenant);
  io.err(printDiagnostics({ ...loaded, diagnostics: loaded.diagnostics.filter((d) => d.severity === 'error') }, options.palette));
  const code = exitOf(loaded, files);
  if (code !== EXIT.ok) return code;
  io.err(tenantsLeftOut(loaded.config));
  const analysis = analyzeLoaded(loaded, now);
  const counted = analysis.findings.filter((finding) => COUNTED.has(finding.kind)).length;
  if (options.output === 'json') await io.out(`${JSON.stringify(asJson(analysis, counted, options.threshold))}\n`);
  else if (options.output === 'sarif') await io.out(`${JSON.stringify(asSarif(analysis.findings), null, 2)}\n`);
  else await io.out(asText(analysis, loaded.sources, options));
  return counted > options.threshold ? EXIT.finding : EXIT.ok;
}

function analyzeLoaded({ policy, config }: LoadedFile, now: number): Analysis {
  const source = { policy, firewall: config?.firewall, sets: config?.sets ?? [], bgp: config?.bgp ?? NO_PEERS };
  return analyzeRules(judgement(source, now), { cidrs: policy === undefined ? [] : cidrLists(policy, now) });
}

/** The prefixes of each rule that is enforced, as written. */
function cidrLists(policy: Policy, now: number): readonly CidrList[] {
  return policy.rules
    .filter((rule) => rule.enabled && (rule.until === undefined || rule.until > now))
    .flatMap((rule) => {
      const { ref, name, priority, span } = rule;
      const mark: RuleMark = { ref, name, priority, stage: 'policy', action: rule.action.kind, span };
      const { source_cidrs, destination_cidrs } = rule.fields;
      return [
        { rule: mark, field: 'source_cidrs', prefixes: prefixesOf(source_cidrs) },
        { rule: mark, field: 'destination_cidrs', prefixes: prefixesOf(destination_cidrs) },
      ];
    });
}

function prefixesOf(texts: readonly string[]): readonly Prefix[] {
  return texts.flatMap((text) => {
    const read = parsePrefix(text);
    if (read.ok) return [read.prefix];
    return read.error.kind === 'host-bits' ? [read.error.masked] : [];
  });
}

function asText({ findings, notAnalysed, rules }: Analysis, sources: ReadonlyMap<string, SourceText>, { palette }: AnalyzeOptions): string {
  const paint = { error: palette.red, warning: palette.yellow, strong: palette.bold, faint: palette.dim };
  const out = findings.map((finding) => `${printDiagnostic(asDiagnostic(finding), sources, paint)}\n`);
  for (const { rule, reason, kind } of notAnalysed.slice(0, MOST_NAMED)) {
    const what = kind === undefined ? 'not analysed' : `not analysed for ${FINDING_CODES[kind].code} ${kind}`;
    out.push(palette.dim(`${escapeControl(rule.name)}: ${what}: ${escapeControl(reason)}`), '\n');
  }
  if (notAnalysed.length > MOST_NAMED) out.push(palette.dim(`${notAnalysed.length - MOST_NAMED} more not analysed`), '\n');
  const kinds = Object.keys(FINDING_CODES) as FindingKind[];
  const parts = kinds.map((kind) => [kind, findings.filter((f) => f.kind === kind).length] as const).filter(([, n]) => n > 0);
  const found = parts.length === 0 ? palette.green('nothing found') : parts.map(([kind, n]) => `${n} ${kind}`).join(', ');
  out.push(`${plural(rules, 'rule')}: ${found}${notAnalysed.length > 0 ? `, ${notAnalysed.length} not analysed` : ''}\n`);
  return out.join('');
}

const NOWHERE: SourceSpan = { file: '-', line: 1, column: 1, length: 1 };

function asDiagnostic(finding: Finding): Diagnostic {
  const { witness } = finding;
  const given = witness === undefined || witness.assumes.length === 0 ? '' : ` if ${witness.assumes.join(' and ')}`;
  return {
    severity: 'warning',
    code: finding.code,
    message: finding.message,
    span: finding.rule.span ?? NOWHERE,
    ...(witness === undefined ? {} : { hint: `as with ${witness.text}${given}` }),
  };
}

function asJson(analysis: Analysis, counted: number, threshold: number): unknown {
  return {
    format_version: 1,
    rules: analysis.rules,
    threshold,
    counted,
    findings: analysis.findings.map((finding) => ({
      code: finding.code,
      kind: finding.kind,
      counts: COUNTED.has(finding.kind),
      message: finding.message,
      hooks: finding.hooks,
      rule: markJson(finding.rule),
      others: finding.others.map(markJson),
      ...(finding.witness === undefined ? {} : { witness: { packet: finding.witness.text, assumes: finding.witness.assumes } }),
    })),
    not_analysed: analysis.notAnalysed.map((one: NotAnalysed) => ({
      hook: one.hook,
      rule: markJson(one.rule),
      ...(one.kind === undefined ? {} : { kind: one.kind }),
      reason: one.reason,
    })),
  };
}

function markJson({ ref, name, priority, stage, action, span }: RuleMark): unknown {
  return { ref, name, priority, stage, action, ...(span === undefined ? {} : { file: span.file, line: span.line, column: span.column }) };
}

function asSarif(findings: readonly Finding[]): unknown {
  const codes = Object.fromEntries(Object.values(FINDING_CODES).map(({ code, summary }) => [code, summary]));
  return sarif(
    codes,
    findings.map((finding) => {
      const { message, hint, span } = asDiagnostic(finding);
      const related = finding.others.flatMap(({ span: other, name }) => (other === undefined ? [] : [{ span: other, name }]));
      return { code: finding.code, level: COUNTED.has(finding.kind) ? 'warning' : 'note', message, hint, span, related };
    }),
  );
}
