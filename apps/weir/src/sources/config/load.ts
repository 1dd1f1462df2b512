import { resolve } from 'node:path';
import type { Config } from '../../model/config.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { SMALL_TREE } from '../yaml/bounds.ts';
import { type Files, matchFiles, relativeTo, systemFiles } from '../yaml/files.ts';
import { Reading } from '../yaml/reading.ts';
import type { Item } from '../yaml/shape.ts';
import { type Place, SourceText } from '../yaml/source-text.ts';
import type { ConfigNode } from '../yaml/tree.ts';
import { buildConfig } from './build.ts';
import { checkFile } from './check.ts';
import { checkCumulusRules } from './check-cumulus.ts';
import { checkEnforceable } from './check-enforceable.ts';
import { loadScopePolicy } from './load-policy.ts';
import { loadTenants } from './load-tenants.ts';
import { mergeTrees } from './merge.ts';
import { refuseUnattached } from './refuse-hooks.ts';
import { fileShape } from './schema.ts';

/** Bounds of what is read: one file, all files together in bytes and by number, one password. */
export const MAX_FILE_BYTES: number = 1024 * 1024;
const MAX_TOTAL_BYTES: number = 4 * MAX_FILE_BYTES;
const MAX_INCLUDES = 256;
const MAX_PASSWORD_BYTES = 80;

/** The result of loading: `config` is there exactly when no diagnostic is an error. `sources` are the texts that spans point into, by file. */
export interface Loaded {
  readonly config: Config | undefined;
  /** The same without the tenants that have mistakes; there when all mistakes are those of tenants. */
  readonly usable: Config | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceText>;
}

/** Loads a configuration, everything it includes and its policy; `now` (milliseconds since the epoch) is for rules whose time is over. Never throws for what a file contains; every mistake is a diagnostic. */
export function loadConfig(file: string, files: Files = systemFiles, now: number = Date.now()): Loaded {
  return new Loader(file, files, now).load();
}

class Loader {
  readonly #file: string;
  readonly #files: Files;
  readonly #now: number;
  readonly #reading: Reading;

  constructor(file: string, files: Files, now: number) {
    this.#file = file;
    this.#now = now;
    this.#files = files;
    const bounds = { fileBytes: MAX_FILE_BYTES, totalBytes: MAX_TOTAL_BYTES, tree: SMALL_TREE };
    this.#reading = new Reading(files, bounds, 'the configuration');
  }

  load(): Loaded {
    const reading = this.#reading;
    const nowhere: Place = { source: new SourceText(this.#file, ''), start: 0, end: 0 };
    const main = reading.parse(this.#file, nowhere);
    let config: Config | undefined;
    let tenantErrors = 0;
    if (main) {
      if (main.kind === 'scalar' && main.value === null)
        reading.report('E007', main.place, 'the file is empty: bgp is missing in the configuration');
      else {
        const shape = fileShape();
        const whole = this.#include(main);
        const table = shape.read(whole, { ...whole.place, end: whole.place.start }, reading.report);
        if (table) {
          const raw = table.get;
          const { policy, uses, locate } = loadScopePolicy(
            raw,
            reading,
            this.#files,
            this.#now,
            refuseUnattached((hook) => raw.ebpf?.has(hook) ?? false),
            () => this.#file,
          );
          checkFile(raw, { given: table.has('policy'), uses }, reading.report);
          config = buildConfig(this.#file, raw, policy, (item) => this.#password(item));
          if (config && reading.errors === 0)
            reading.add([...checkEnforceable(config, this.#now, locate), ...checkCumulusRules(config, this.#now, locate)], new Map());
          const { tenants, faulty, errors } = loadTenants(raw, reading, this.#files, this.#now);
          tenantErrors = errors;
          config &&= { ...config, tenants, faultyTenants: faulty };
        }
      }
    }
    const diagnostics = reading.diagnostics(this.#file);
    const usable = reading.errors > tenantErrors ? undefined : config;
    return { config: reading.errors > 0 ? undefined : usable, usable, diagnostics, sources: reading.sources };
  }

  /** The main tree with what it includes. */
  #include(main: ConfigNode): ConfigNode {
    const entry = main.kind === 'map' ? main.entries.find((e) => e.key === 'include') : undefined;
    if (!entry) return main;
    const reading = this.#reading;
    const named = entry.value.kind === 'list' ? entry.value.items : [entry.value];
    let whole = main;
    let count = 0;
    for (const item of named) {
      if (item.kind !== 'scalar' || typeof item.value !== 'string') continue;
      for (const path of matchFiles(this.#files, this.#file, item.value, item.place, reading.report)) {
        if (++count > MAX_INCLUDES) {
          reading.report('E002', item.place, `more than ${MAX_INCLUDES} files are included`);
          return whole;
        }
        if (reading.sources.has(path)) {
          reading.report('E020', item.place, `${path} is already part of the configuration`);
          continue;
        }
        const tree = reading.parse(path, item.place);
        if (tree) whole = mergeTrees(whole, tree, reading.report);
      }
    }
    return whole;
  }

  #password(item: Item<string>): string | undefined {
    const { report } = this.#reading;
    const path = relativeTo(this.#file, item.value);
    const read = this.#files.read(path, 4096);
    if ('error' in read) {
      report('E001', item.place, `cannot read ${path}: ${read.error}`);
      return undefined;
    }
    const text = new TextDecoder().decode(read.bytes);
    const password = text.split(/\r?\n/, 1)[0] ?? '';
    const bytes = Buffer.byteLength(password);
    if (bytes === 0 || bytes > MAX_PASSWORD_BYTES) {
      report(
        'E029',
        item.place,
        `the first line of ${path} must have 1-${MAX_PASSWORD_BYTES} bytes, and has ${bytes > 4000 ? 'too many' : bytes}`,
      );
      return undefined;
    }
    if ((read.mode & 0o077) !== 0) {
      report('W002', item.place, `${path} can be read by others than its owner`, `chmod 600 ${resolve(path)}`);
    }
    return password;
  }
}
