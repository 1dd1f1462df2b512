import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import { systemFiles } from '../../sources/config/index.ts';
import { loadTests } from '../../sources/tests/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { exitOf, type LoadedFile, loadFiles, loadPolicyFiles } from '../load-any.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { plural } from '../render/units.ts';
import { runPacketTests, type TestedRules } from '../testing/packet-tests.ts';
import { findOpa, runRego } from '../testing/rego.ts';
import { type TestResult, toJunit } from '../testing/result.ts';
import { printDiagnostics } from './check.ts';
import { compiledPolicy } from './compile.ts';

export interface TestOptions {
  readonly output: 'text' | 'json' | 'junit';
  readonly palette: Palette;
  /** Policy files or a configuration, above what test files say. */
  readonly policy: readonly string[];
  /** The configuration whose sets policy files may name. */
  readonly config: string | undefined;
  readonly tenant?: string | undefined;
}

/** Runs test files: Weir's own (YAML) and Rego. Exit code 2 when a test fails or a file has mistakes. */
export async function test(files: readonly string[], options: TestOptions, io: Io): Promise<ExitCode> {
  const results: TestResult[] = [];
  for (const file of files) results.push(...(file.endsWith('.rego') ? rego(file, options, io) : own(file, options, io)));
  const failed = results.filter((one) => !one.passed).length;
  if (options.output === 'json')
    await io.out(`${JSON.stringify({ format_version: 1, passed: results.length - failed, failed, tests: results })}\n`);
  else if (options.output === 'junit') await io.out(toJunit(results));
  else await io.out(render(results, failed, options.palette));
  return failed > 0 ? EXIT.finding : EXIT.ok;
}

function own(file: string, options: TestOptions, io: Io): readonly TestResult[] {
  const { tests, diagnostics, sources } = loadTests(file, systemFiles);
  io.err(printDiagnostics({ diagnostics, sources }, options.palette));
  if (!tests) throw new CliError(exitOf({ usable: false, diagnostics, sources }, [file]), `${file} cannot be used`);
  const policy = options.policy.length > 0 ? options.policy : tests.policy;
  if (policy.length === 0) throw new CliError(EXIT.usage, `${file} names no policy, and --policy none`);
  const now = Date.now();
  const loaded =
    tests.sets.size > 0 && options.config === undefined && options.tenant === undefined
      ? loadPolicyFiles(policy, new Set(tests.sets.keys()), now)
      : loadFiles(policy, options.config, now, options.tenant);
  return runPacketTests(tests, rulesOf(usable(loaded, policy, options, io), now));
}

function rego(file: string, options: TestOptions, io: Io): readonly TestResult[] {
  const opa = findOpa(io.env);
  const [main] = options.policy;
  if (main === undefined) throw new CliError(EXIT.usage, `${file}: a Rego file needs --policy`);
  const now = Date.now();
  const { policy, config } = usable(loadFiles(options.policy, options.config, now, options.tenant), options.policy, options, io);
  if (!policy) throw new CliError(EXIT.finding, `${main} has no policy`);
  return runRego(opa, file, compiledPolicy({ policy, config, now }), parseYaml(readFileSync(main, 'utf8')));
}

function usable(loaded: LoadedFile, files: readonly string[], options: TestOptions, io: Io): LoadedFile {
  io.err(printDiagnostics(loaded, options.palette));
  if (!loaded.usable) throw new CliError(exitOf(loaded, files), `${files.join(', ')} cannot be used`);
  return loaded;
}

function rulesOf(loaded: LoadedFile, now: number): TestedRules {
  const { firewall, sets = [], bgp = NO_PEERS, ebpf } = loaded.config ?? {};
  return { ebpf, hooks: judgement({ policy: loaded.policy, firewall, sets, bgp }, now) };
}

function render(results: readonly TestResult[], failed: number, palette: Palette): string {
  const lines = results.map((one) => {
    if (one.passed) return palette.dim(`ok   ${escapeControl(`${one.file}: ${one.name}`)}`);
    const place = one.span ? `${one.span.file}:${one.span.line}:${one.span.column}` : one.file;
    return `${palette.red('FAIL')} ${escapeControl(`${place}: ${one.name}: ${one.message}`)}`;
  });
  return `${lines.map((line) => `${line}\n`).join('')}${plural(results.length - failed, 'test')} passed, ${failed} failed\n`;
}
