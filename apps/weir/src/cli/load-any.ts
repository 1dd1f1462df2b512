import type { Config } from '../model/config.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { attaches } from '../model/ebpf.ts';
import type { Policy } from '../model/policy.ts';
import { type Files, loadConfig, refuseEbpf, refuseUnattached, type SourceText, systemFiles } from '../sources/config/index.ts';
import { isPolicyText, type LoadedPolicy, loadPolicy, MAX_POLICY_FILE_BYTES, type PolicyOptions } from '../sources/policy/index.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { selectTenant } from './tenants.ts';

/** A file that is a configuration or a policy, loaded. `usable`: no diagnostic is an error. */
export interface LoadedFile {
  readonly kind: 'configuration' | 'policy';
  readonly usable: boolean;
  readonly config: Config | undefined;
  /** Of a policy file, or of a configuration that names some. */
  readonly policy: Policy | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceText>;
  /** Of policy files: where a stretch of the expression of a rule is written. */
  readonly locate?: LoadedPolicy['locate'];
}

/** What a configuration says of its policy: the sets that it may name, those of its own table, and the hooks that have no rules. Empty where none is given. */
export type KnownSets = Pick<PolicyOptions, 'sets' | 'elsewhere' | 'refuses'>;

/** Loads a file, which its keys say to be a policy or a configuration. Standard input (`-`) is read once. */
export function loadAny(file: string, known: KnownSets, now: number): LoadedFile {
  const files = keepInput(systemFiles);
  const read = files.read(file, MAX_POLICY_FILE_BYTES);
  if (!('error' in read) && isPolicyText(new TextDecoder().decode(read.bytes))) {
    const { policy, diagnostics, sources, locate } = loadPolicy([file], files, { ...known, now });
    return { kind: 'policy', usable: policy !== undefined, config: undefined, policy, diagnostics, sources, locate };
  }
  const { config, diagnostics, sources } = loadConfig(file, files, now);
  return { kind: 'configuration', usable: config !== undefined, config, policy: config?.policy, diagnostics, sources };
}

/**
 * Policy files, which together are one policy, or one configuration. `configFile` names the configuration whose sets policy files may use; it is the result's then.
 * With `tenant` it is that one's part of the configuration. Throws CliError when the configuration has mistakes or no such tenant.
 */
export function loadFiles(files: readonly string[], configFile: string | undefined, now: number, tenant?: string): LoadedFile {
  const known = configFile === undefined ? undefined : knownSets(configFile, now, tenant);
  const [first] = files;
  if (files.length === 1 && first !== undefined) {
    const loaded = loadAny(first, known ?? {}, now);
    if (tenant !== undefined && loaded.kind === 'policy' && !known)
      throw new CliError(EXIT.usage, '--tenant is one of a configuration: --config names it');
    if (tenant === undefined || !loaded.config) return { ...loaded, config: loaded.config ?? known?.config };
    const config = selectTenant(loaded.config, tenant);
    return { ...loaded, config, policy: config.policy };
  }
  const { policy, diagnostics, sources } = loadPolicy(files, systemFiles, { ...known, now });
  return { kind: 'policy', usable: policy !== undefined, config: known?.config, policy, diagnostics, sources };
}

/** Policy files, or one configuration, that may use these sets. */
export function loadPolicyFiles(files: readonly string[], sets: ReadonlySet<string>, now: number): LoadedFile {
  const known: KnownSets = { sets: new Map([...sets].map((name) => [name, 'Ip'])) };
  const [first] = files;
  if (files.length === 1 && first !== undefined) return loadAny(first, known, now);
  const { policy, diagnostics, sources } = loadPolicy(files, systemFiles, { ...known, now });
  return { kind: 'policy', usable: policy !== undefined, config: undefined, policy, diagnostics, sources };
}

/**
 * How a command ends that cannot use these files: with 1 where one of them cannot be read at all, with 2 where there are mistakes in them. `ok` where they can be used.
 */
export function exitOf(
  loaded: Pick<LoadedFile, 'diagnostics' | 'sources'> & { readonly usable: boolean },
  files: readonly string[],
): ExitCode {
  const unread = (file: string): boolean =>
    !loaded.sources.has(file) && loaded.diagnostics.some((d) => d.code === 'E001' && d.span.file === file);
  return files.some(unread) ? EXIT.error : loaded.usable ? EXIT.ok : EXIT.finding;
}

/** The sets of a configuration file, which must be without mistakes. */
export function knownSets(configFile: string, now: number, tenant?: string): KnownSets & { readonly config: Config } {
  const { config: whole, diagnostics, sources } = loadConfig(configFile, systemFiles, now);
  if (!whole) {
    const code = exitOf({ usable: false, diagnostics, sources }, [configFile]);
    throw new CliError(code, `${configFile} cannot be used: weir check ${configFile} says why`);
  }
  const config = selectTenant(whole, tenant);
  const mine = config.sets.filter((set) => set.target.kind === 'owned');
  return {
    config,
    refuses: tenant === undefined ? refuseUnattached((hook) => attaches(config.ebpf, hook)) : refuseEbpf(),
    sets: new Map(mine.map((set) => [set.name, 'Ip'])),
    elsewhere: new Set(config.sets.filter((set) => set.target.kind !== 'owned').map((set) => set.name)),
  };
}

/** The same files; what was read from standard input is given again. */
function keepInput(files: Files): Files {
  let input: ReturnType<Files['read']> | undefined;
  return {
    names: (directory) => files.names(directory),
    read: (path, max) => {
      if (path !== '-') return files.read(path, max);
      input ??= files.read(path, Math.max(max, MAX_POLICY_FILE_BYTES));
      return 'error' in input ? input : { ...input, bytes: input.bytes.subarray(0, max + 1) };
    },
  };
}
