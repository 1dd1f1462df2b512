import type { Config } from '../model/config.ts';
import { digestTexts, type Loaded, loadConfig, printDiagnostic, type Texts, textFiles } from '../sources/config/index.ts';

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
  const { config, diagnostics, sources } = load(file);
  const print = (severity: 'error' | 'warning'): readonly string[] =>
    diagnostics.filter((d) => d.severity === severity).map((d) => printDiagnostic(d, sources));
  const texts = new Map([...sources.values()].map((source) => [source.file, source.text]));
  return {
    texts,
    digest: digestTexts(texts),
    config: config && withOverrides(config, overrides),
    readable: sources.has(file),
    errors: print('error'),
    warnings: print('warning'),
  };
}

/** A configuration as a generation's texts say. */
export function loadGeneration(file: string, texts: Texts, overrides: Overrides): DaemonConfig {
  return loadDaemonConfig(file, overrides, (name) => loadConfig(name, textFiles(texts)));
}

function withOverrides(config: Config, overrides: Overrides): Config {
  return {
    ...config,
    socket: overrides.socket ?? config.socket,
    stateDirectory: overrides.stateDirectory ?? config.stateDirectory,
    netns: overrides.netns ?? config.netns,
  };
}
