import { ASSUMED_EBPF } from '../../compile/ebpf/index.ts';
import { NO_PEERS } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { CODES, checkEnforceable, printDiagnostic, type SourceText } from '../../sources/config/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { exitOf, knownSets, type LoadedFile, loadAny } from '../load-any.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { sarif } from '../render/sarif.ts';
import { plural } from '../render/units.ts';

export interface CheckOptions {
  readonly output: 'text' | 'json' | 'sarif';
  readonly palette: Palette;
  /** The configuration whose sets policy files may name. */
  readonly config: string | undefined;
  /** The tenant of that configuration whose they are. */
  readonly tenant?: string | undefined;
}

/** Checks each file, a configuration or a policy, by itself and prints every mistake. Exit code 2 when there is one, 1 when a file cannot be read. */
export async function check(files: readonly string[], options: CheckOptions, io: Io): Promise<ExitCode> {
  const now = Date.now();
  const known = options.config === undefined ? undefined : knownSets(options.config, now, options.tenant);
  if (options.tenant !== undefined && !known) throw new CliError(EXIT.usage, '--tenant is one of a configuration: --config names it');
  const results = files.map((file) => ({ file, loaded: enforceable(loadAny(file, known ?? {}, now), known?.config, now) }));
  if (options.output === 'json') await io.out(`${JSON.stringify(asJson(results))}\n`);
  else if (options.output === 'sarif') await io.out(`${JSON.stringify(asSarif(results.flatMap((r) => r.loaded.diagnostics)), null, 2)}\n`);
  else for (const { file, loaded } of results) await printText(file, loaded, options.palette, io);
  const codes = results.map(({ file, loaded }) => exitOf(loaded, [file]));
  return [EXIT.error, EXIT.finding].find((code) => codes.includes(code)) ?? EXIT.ok;
}

/** A policy file by itself, with what the kernel cannot do of it; a configuration has been asked already. */
function enforceable(loaded: LoadedFile, config: Config | undefined, now: number): LoadedFile {
  if (loaded.kind !== 'policy' || !loaded.policy) return loaded;
  const { firewall, sets = [], bgp = NO_PEERS, ebpf = ASSUMED_EBPF } = config ?? {};
  const found = checkEnforceable({ policy: loaded.policy, firewall, sets, bgp, ebpf }, now, loaded.locate ?? (() => undefined));
  return found.length === 0 ? loaded : { ...loaded, usable: false, diagnostics: [...loaded.diagnostics, ...found] };
}

/** Diagnostics go to stderr, the verdict on each file to stdout. */
async function printText(file: string, loaded: LoadedFile, palette: Palette, io: Io): Promise<void> {
  io.err(printDiagnostics(loaded, palette));
  const errors = loaded.diagnostics.filter((d) => d.severity === 'error').length;
  const warnings = loaded.diagnostics.length - errors;
  const parts = [
    ...(errors > 0 ? [palette.red(plural(errors, 'error'))] : []),
    ...(warnings > 0 ? [palette.yellow(plural(warnings, 'warning'))] : []),
  ];
  await io.out(`${escapeControl(file)}: ${errors > 0 ? parts.join(', ') : [palette.green('ok'), ...parts].join(', ')}\n`);
}

/** Every diagnostic of a file as text, in the colours of `palette`. */
export function printDiagnostics(
  loaded: { readonly diagnostics: readonly Diagnostic[]; readonly sources: ReadonlyMap<string, SourceText> },
  palette: Palette,
): string {
  const paint = { error: palette.red, warning: palette.yellow, strong: palette.bold, faint: palette.dim };
  return loaded.diagnostics.map((d) => `${printDiagnostic(d, loaded.sources, paint)}\n`).join('');
}

function asJson(results: readonly { readonly file: string; readonly loaded: LoadedFile }[]): unknown {
  return {
    format_version: 1,
    files: results.map(({ file, loaded }) => ({
      file,
      ok: loaded.usable,
      diagnostics: loaded.diagnostics.map((d) => ({
        severity: d.severity,
        code: d.code,
        message: d.message,
        ...(d.hint === undefined ? {} : { hint: d.hint }),
        file: d.span.file,
        line: d.span.line,
        column: d.span.column,
        length: d.span.length,
      })),
    })),
  };
}

function asSarif(diagnostics: readonly Diagnostic[]): unknown {
  return sarif(
    CODES,
    diagnostics.map(({ code, severity, message, hint, span }) => ({ code, level: severity, message, hint, span, related: [] })),
  );
}
