import type { Config } from '../model/config.ts';
import { digestTexts, type Loaded, loadConfig, namespaceKey, printDiagnostic, type Texts, textFiles } from '../sources/config/index.ts';

/** What stands above the file: flags and the environment. */
export interface Overrides {
  readonly socket: string | undefined;
  readonly stateDirectory: string | undefined;
  readonly netns: string | undefined;
}

/** A file for the daemon, with what stands above it; without a configuration the diagnostics say why. */
export interface DaemonConfig {
  readonly config: Config | undefined;
  /** Whether the file itself could be read. */
  readonly readable: boolean;
  /** Every file that it was read from. */
  readonly texts: Texts;
  readonly digest: string;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

export function loadDaemonConfig(file: string, overrides: Overrides, load: (file: string) => Loaded = loadConfig): DaemonConfig {
  const { usable: config, diagnostics, sources } = load(file);
  const print = (severity: 'error' | 'warning'): readonly string[] =>
    diagnostics.filter((d) => d.severity === severity).map((d) => printDiagnostic(d, sources));
  const texts = new Map([...sources.values()].map((source) => [source.file, source.text]));
  return {
    texts,
    digest: digestTexts(texts),
    config: config && withOverrides(config, overrides),
    readable: sources.has(file),
    // A tenant's mistakes keep nothing else from being taken.
    errors: config ? [] : print('error'),
    warnings: [...print('warning'), ...(config ? print('error') : [])],
  };
}

/** A configuration as a generation's texts say. */
export function loadGeneration(file: string, texts: Texts, overrides: Overrides): DaemonConfig {
  return loadDaemonConfig(file, overrides, (name) => loadConfig(name, textFiles(texts)));
}

function withOverrides(config: Config, overrides: Overrides): Config {
  const netns = overrides.netns ?? config.netns;
  const key = netns === undefined ? undefined : namespaceKey(netns);
  const taken = config.tenants.filter((tenant) => namespaceKey(tenant.netns) === key);
  return {
    ...config,
    tenants: config.tenants.filter((tenant) => !taken.includes(tenant)),
    faultyTenants: [
      ...config.faultyTenants,
      ...taken.map(({ name }) => ({
        name,
        mistake: `the namespace ${netns} is the one that the daemon itself manages (--netns)`,
        errors: 1,
      })),
    ],
    socket: overrides.socket ?? config.socket,
    stateDirectory: overrides.stateDirectory ?? config.stateDirectory,
    netns,
  };
}
