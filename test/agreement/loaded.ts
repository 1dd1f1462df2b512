import { ipSetPrefixes } from '@weir/filter/ir';
import { NftClient } from '@weir/netlink/nftables';
import { bitsOf, type Family, type Prefix } from '@weir/wire/inet';
import type { TableImage } from '../../apps/weir/src/compile/nft/image.ts';
import { type CompiledRules, compileRules, type NftProblem, type ProgramUse } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { ownedSetNames } from '../../apps/weir/src/compile/nft/set-names.ts';
import type { Operation, ProgramBindings } from '../../apps/weir/src/kernel/backend.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { MapEntry } from '../../apps/weir/src/model/kernel-map.ts';
import type { PrefixColumns } from '../../apps/weir/src/model/member-delta.ts';
import { planTable } from '../../apps/weir/src/reconcile/owned-table.ts';
import type { Built } from './built.ts';

const TABLE = 'weir_agreement';
const ADDRESS = { family: 'inet', table: TABLE } as const;
const FAMILIES: readonly Family[] = [4, 6];

/** What the kernel's rules stand for: those that have an effect on packets, by handle. */
export type EffectRules = ReadonlyMap<number, string>;

/** Loads policies into a namespace, one after the other, as the daemon would: compiled, encoded, in one transaction. */
export class Loader {
  readonly #backend: NftBackend;
  readonly #client: NftClient;
  #loaded = false;
  /** Maps of several fields, or of single values, that were loaded. */
  lookups = 0;
  #compiled: { readonly built: Built; readonly rules: CompiledRules } | undefined;

  /** Programs that were loaded for rules to ask. */
  programs = 0;
  /** Named sets and lists of policies that they look into. */
  sets = 0;
  lists = 0;
  readonly #programs: ProgramUse;

  readonly #mostRanges: { readonly mostRanges?: number };

  /** `programs`: which tests are asked by programs although nf_tables could. `mostRanges`: lists of addresses with more of them are maps that programs look into. */
  constructor(netns: string, programs: ProgramUse = 'needed', mostRanges?: number) {
    this.#programs = programs;
    this.#mostRanges = mostRanges === undefined ? {} : { mostRanges };
    this.#backend = new NftBackend({ netns, ownership: false });
    this.#client = new NftClient({ netns });
  }

  /** What the compiler cannot express; nothing is loaded then. */
  problems(built: Built): readonly NftProblem[] {
    return this.#compile(built).problems;
  }

  /** Replaces what was loaded before, as a whole. Throws when the kernel refuses. */
  load(built: Built): EffectRules {
    const table = this.#table(built);
    const plan = planTable(ADDRESS, table, undefined, false, () => [], this.#bind(table, built));
    const gone: Operation[] = this.#loaded ? [{ kind: 'delete-table', address: ADDRESS }] : [];
    this.#commit([...gone, ...plan.prepare, ...fill(built, new Set()), ...plan.enforce]);
    this.#loaded = true;
    return this.#effects();
  }

  /** Brings what is loaded to another policy, by what differs. */
  change(built: Built): EffectRules {
    const now = this.#backend.readTable(ADDRESS);
    if (!now) throw new Error('nothing is loaded');
    const table = this.#table(built);
    const readMap = (set: string): readonly MapEntry[] => this.#backend.readMap({ ...ADDRESS, set });
    const plan = planTable(ADDRESS, table, now, false, readMap, this.#bind(table, built));
    const full = new Set(plan.fresh ? [] : now.sets.map((set) => set.set));
    this.#commit([...plan.prepare, ...fill(built, full), ...plan.enforce]);
    return this.#effects();
  }

  /** Lists that programs look into are filled before they do. */
  #bind({ programs = [] }: TableImage, built: Built): ProgramBindings {
    for (const one of programs)
      for (const { members } of one.kind === 'code' ? (one.lists ?? []) : []) {
        if (members === undefined) this.sets++;
        else this.lists++;
      }
    return this.#backend.bindPrograms(ADDRESS, { programs, paths: [] }, (set, family) => {
      const prefixes = ipSetPrefixes(built.members.get(set) ?? { v4: [], v6: [] });
      return columns(
        family,
        prefixes.filter((one) => one.family === family),
      );
    });
  }

  #table(built: Built): TableImage {
    const { table, problems } = this.#compile(built);
    const [problem] = problems;
    if (problem) throw new Error(problem.message);
    this.lookups += table.lookups?.length ?? 0;
    this.programs += table.programs?.length ?? 0;
    return table;
  }

  #commit(operations: readonly Operation[]): void {
    const outcome = this.#backend.commit(operations);
    if (outcome.kind !== 'committed') throw new Error(`the kernel did not take it: ${JSON.stringify(outcome)}`);
    // The rules hold them.
    this.#backend.keepPrograms(ADDRESS, new Set());
  }

  #effects(): EffectRules {
    const effects = new Map<number, string>();
    for (const rule of this.#client.rules({ family: 'inet', table: TABLE })) {
      if (rule.expressions?.some((one) => one.kind === 'counter')) effects.set(Number(rule.handle), rule.comment ?? '');
    }
    return effects;
  }

  #compile(built: Built): CompiledRules {
    if (this.#compiled?.built !== built)
      this.#compiled = {
        built,
        rules: compileRules([built.hook], built.sets, { table: TABLE, programs: this.#programs, ...this.#mostRanges }),
      };
    return this.#compiled.rules;
  }

  close(): void {
    this.#backend.close();
    this.#client.close();
  }
}

/** The members of the named sets, hosts and networks apart, but for those that have them. */
function fill(built: Built, full: ReadonlySet<string>): Operation[] {
  return built.sets.flatMap(({ name }) => {
    const prefixes = ipSetPrefixes(built.members.get(name) ?? { v4: [], v6: [] });
    return FAMILIES.flatMap((family): Operation[] => {
      const mine = prefixes.filter((one) => one.family === family);
      const names = ownedSetNames(name, family);
      const add = (set: string, interval: boolean, some: readonly Prefix[]): Operation[] =>
        some.length === 0 || full.has(set)
          ? []
          : [{ kind: 'add-elements', address: { ...ADDRESS, set }, interval, elements: columns(family, some) }];
      return [
        ...add(
          names.hosts,
          false,
          mine.filter((one) => one.length === bitsOf(family)),
        ),
        ...add(
          names.networks,
          true,
          mine.filter((one) => one.length < bitsOf(family)),
        ),
      ];
    });
  });
}

function columns(family: Family, prefixes: readonly Prefix[]): PrefixColumns {
  const words = prefixes.flatMap((one) => (family === 4 ? [one.w0] : [one.w0, one.w1, one.w2, one.w3]));
  return { family, count: prefixes.length, words: Uint32Array.from(words), lengths: Uint8Array.from(prefixes, (one) => one.length) };
}
