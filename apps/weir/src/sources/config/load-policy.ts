import type { Policy } from '../../model/policy.ts';
import type { RefuseHook } from '../policy/index.ts';
import { type LoadedPolicy, loadPolicy } from '../policy/load.ts';
import { type Files, matchFiles } from '../yaml/files.ts';
import type { Reading } from '../yaml/reading.ts';
import type { Item } from '../yaml/shape.ts';
import type { RawScope } from './raw.ts';

/** What a configuration or a tenant says of its policy. */
export interface ScopePolicy {
  readonly policy: Policy | undefined;
  /** The sets that it names. */
  readonly uses: ReadonlySet<string>;
  readonly diagnostics: LoadedPolicy['diagnostics'];
  readonly locate: LoadedPolicy['locate'];
}

/** Loads the policy that a scope names; `refuses` which hooks have no rules; `fileOf` says in which file a name is written, since it is relative to that. What is found is in the reading as well. */
export function loadScopePolicy(
  scope: RawScope,
  reading: Reading,
  files: Files,
  now: number,
  refuses: RefuseHook,
  fileOf: (item: Item<string>) => string,
): ScopePolicy {
  if (scope.policy === undefined) return { policy: undefined, uses: new Set(), diagnostics: [], locate: () => undefined };
  const named = scope.policy.flatMap((item) => {
    const errors = reading.errors;
    const paths = matchFiles(files, fileOf(item), item.value, item.place, reading.report);
    if (paths.length === 0 && reading.errors === errors) reading.report('W013', item.place, `no file matches ${item.value}`);
    return paths.map((path) => ({ path, place: item.place }));
  });
  const sets = new Map<string, 'Ip'>();
  const elsewhere = new Set<string>();
  for (const { name, value } of scope.sets) {
    if (value.has('nft')) elsewhere.add(name);
    else sets.set(name, 'Ip');
  }
  const loaded = loadPolicy(named, files, { sets, elsewhere, refuses, now });
  reading.add(loaded.diagnostics, loaded.sources);
  return loaded;
}
