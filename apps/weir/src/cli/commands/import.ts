import { createReadStream, writeFileSync } from 'node:fs';
import {
  countEntries,
  type Imported,
  importPrograms,
  itemText,
  MAX_INPUT,
  place,
  readManifests,
  readRuleset,
  readSave,
  type Status,
} from '../../sources/import/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { readStream } from '../read-stream.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';

export interface ImportOptions {
  /** Where the policy goes; undefined is standard output. */
  readonly file: string | undefined;
  readonly output: 'text' | 'json';
  /** Exit code 2 unless everything is translated as it is. */
  readonly strict: boolean;
  readonly palette: Palette;
}

export interface IptablesOptions extends ImportOptions {
  readonly family: 4 | 6;
  /** What ip6tables-save printed, to go with an IPv4 file. */
  readonly ip6tables: string | undefined;
}

/** iptables-save (and ip6tables-save) as a policy. */
export async function importIptables(file: string, options: IptablesOptions, io: Io): Promise<ExitCode> {
  const { family, ip6tables } = options;
  if (ip6tables !== undefined && family === 6)
    throw new CliError(EXIT.usage, '--ip6tables goes with an IPv4 file, and --family 6 says that this one is IPv6');
  if (file === '-' && ip6tables === '-') throw new CliError(EXIT.usage, 'only one of both files can be standard input');
  const programs = [readSave(await readInput(file, io), label(file), family)];
  if (ip6tables !== undefined) programs.push(readSave(await readInput(ip6tables, io), label(ip6tables), 6));
  const names = [label(file), ...(ip6tables === undefined ? [] : [label(ip6tables)])];
  return await finish(importPrograms(programs, names), options, io);
}

/** What `nft -j list ruleset` printed as a policy. */
export async function importNft(file: string, options: ImportOptions, io: Io): Promise<ExitCode> {
  return await finish(importPrograms([readRuleset(await readInput(file, io), label(file))], [label(file)]), options, io);
}

/** Network policies of Kubernetes and Cilium as one policy. */
export async function importNetworkPolicies(files: readonly string[], options: ImportOptions, io: Io): Promise<ExitCode> {
  if (files.filter((f) => f === '-').length > 1) throw new CliError(EXIT.usage, 'only one of the files can be standard input');
  const inputs: { readonly file: string; readonly text: string }[] = [];
  for (const file of files) inputs.push({ file: label(file), text: await readInput(file, io) });
  return await finish(importPrograms([readManifests(inputs)], files.map(label)), options, io);
}

function label(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

async function readInput(file: string, io: Io): Promise<string> {
  return (await readStream(file === '-' ? io.stdin : createReadStream(file), label(file), MAX_INPUT)).toString('utf8');
}

/** Writes policy and report, and says how it went. */
async function finish(imported: Imported, options: ImportOptions, io: Io): Promise<ExitCode> {
  const { text, entries } = imported;
  if (text !== undefined && options.file !== undefined) writePolicy(options.file, text);
  if (options.output === 'json') await io.out(`${JSON.stringify(asJson(imported, options.file))}\n`);
  else {
    io.err(printReport(imported, options.palette));
    if (text !== undefined && options.file === undefined) await io.out(text);
  }
  if (text === undefined) return EXIT.finding;
  const counts = countEntries(entries);
  return options.strict && counts.approximated + counts.unsupported > 0 ? EXIT.finding : EXIT.ok;
}

function writePolicy(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new CliError(EXIT.error, `${file}: ${error.message}`);
    throw error;
  }
}

/** One line for each item, what else is to be known, and the counts. */
function printReport({ policy, entries }: Imported, palette: Palette): string {
  const paint: Readonly<Record<Status, (text: string) => string>> = {
    translated: palette.green,
    approximated: palette.yellow,
    unsupported: palette.red,
    error: palette.red,
    nothing: palette.dim,
  };
  const lines = entries
    .filter((e) => e.status !== 'nothing')
    .map(
      (e) =>
        `${place(e)}: ${paint[e.status](e.status)}: ${escapeControl(itemText(e))}${e.reasons.length === 0 ? '' : `\n    ${e.reasons.join('; ')}`}`,
    );
  for (const { hook, family } of policy?.unjudged ?? []) {
    lines.push(`${palette.yellow('note')}: the input says nothing about IPv${family} at hook ${hook}; a rule lets it through`);
  }
  for (const set of policy?.toFill ?? []) lines.push(`${palette.yellow('to be filled')}: $${set.name}: ${set.purpose}`);
  const counts = countEntries(entries);
  const total = entries.length - counts.nothing;
  const words = (['translated', 'approximated', 'unsupported', 'error'] as const).filter((s) => s !== 'error' || counts.error > 0);
  lines.push(
    `${total} items: ${words.map((s) => `${counts[s]} ${s === 'error' ? 'in error' : s}`).join(', ')}; ${policy?.rules.length ?? 0} rules`,
  );
  if (!policy) lines.push('nothing is imported while there is an error');
  return lines.map((line) => `${line}\n`).join('');
}

function asJson({ policy, text, entries }: Imported, file: string | undefined): unknown {
  const { error, ...counts } = countEntries(entries);
  return {
    format_version: 1,
    ok: text !== undefined,
    counts: { ...counts, errors: error, rules: policy?.rules.length ?? 0 },
    items: entries.map((e) => ({
      file: e.file,
      line: e.line,
      ...(e.column === undefined ? {} : { column: e.column }),
      ...(e.where === undefined ? {} : { where: e.where }),
      text: e.text,
      status: e.status,
      reasons: e.reasons,
      rules: e.refs,
    })),
    to_fill: (policy?.toFill ?? []).map((s) => ({ name: s.name, original: s.original, purpose: s.purpose })),
    not_judged: policy?.unjudged ?? [],
    ...(file === undefined ? { policy: text ?? null } : { policy_file: file }),
  };
}
