import { type CompiledRule, compileRule } from '../compile/nft/expressions.ts';
import { type ChainImage, TABLE_COMMENT, type TableImage } from '../compile/nft/image.ts';
import type { ChainInfo, Operation, RuleInfo, TableAddress, TableInfo } from '../kernel/backend.ts';

/** What brings a table to its image, in two parts: the table with its sets, and what makes it judge packets. */
export interface TablePlan {
  readonly prepare: readonly Operation[];
  readonly enforce: readonly Operation[];
  /** The table is made anew: its sets are empty then. */
  readonly fresh: boolean;
  /** The table judges nothing yet: its sets can be filled before it does. */
  readonly building: boolean;
}

/**
 * The difference between a table that Weir owns and what it should be. Rules that stay keep their handles and counters. A set that must change its kind or size
 * cannot stay under the rules that use it, so the table is then replaced as a whole, in the same transaction.
 */
export function planTable(address: TableAddress, image: TableImage, now: TableInfo | undefined, ownership: boolean): TablePlan {
  const put: Operation = { kind: 'put-table', address, comment: TABLE_COMMENT, owned: ownership };
  if (!now) return build([put], address, image);
  // Flags of the kernel's own making cannot be changed on a table that is there.
  const flagsFixed = now.persist !== ownership;
  if (flagsFixed || mustReplace(image, now)) return build([...takeOver(put, now), { kind: 'delete-table', address }, put], address, image);
  const prepare: Operation[] = [...takeOver(put, now)];
  const enforce: Operation[] = [];
  const chains = new Map(now.chains.map((chain) => [chain.name, chain]));
  const wanted = new Set(image.chains.map((chain) => chain.name));
  const sets = new Set(now.sets.map((set) => set.set));
  for (const set of image.sets) if (!sets.has(set.name)) prepare.push({ kind: 'add-set', address, set });
  for (const chain of image.chains) {
    if (!chains.has(chain.name)) enforce.push({ kind: 'add-chain', address, name: chain.name, hook: chain.hook });
  }
  for (const chain of image.chains) enforce.push(...changeRules(address, chain, chains.get(chain.name)?.rules ?? []));
  // Entry chains go first: a chain that is still jumped to cannot be deleted.
  const gone = now.chains
    .filter((chain) => !wanted.has(chain.name))
    .sort((a, b) => Number(a.hook === undefined) - Number(b.hook === undefined));
  for (const chain of gone) enforce.push({ kind: 'delete-chain', address, name: chain.name });
  const kept = new Set(image.sets.map((set) => set.name));
  for (const set of now.sets) {
    if (!kept.has(set.set)) enforce.push({ kind: 'delete-set', address: { ...address, set: set.set } });
  }
  return { prepare, enforce, fresh: false, building: now.chains.length === 0 };
}

/** What an earlier process left belongs to nobody until it is taken over. */
function takeOver(put: Operation, now: TableInfo): readonly Operation[] {
  return now.persist && !now.owner ? [put] : [];
}

function mustReplace(image: TableImage, now: TableInfo): boolean {
  const chains = new Map(now.chains.map((chain) => [chain.name, chain]));
  const sets = new Map(now.sets.map((set) => [set.set, set]));
  return (
    image.sets.some((set) => {
      const has = sets.get(set.name);
      return has && (has.keyFamily !== set.family || has.interval !== set.interval || has.map || has.size !== set.size);
    }) || image.chains.some((chain) => isOtherHook(chain, chains.get(chain.name)))
  );
}

function isOtherHook(chain: ChainImage, now: ChainInfo | undefined): boolean {
  return now !== undefined && (now.hook !== chain.hook || (chain.hook !== undefined && (now.priority !== 0 || now.policy !== 'accept')));
}

function build(before: readonly Operation[], address: TableAddress, image: TableImage): TablePlan {
  return {
    prepare: [...before, ...image.sets.map((set): Operation => ({ kind: 'add-set', address, set }))],
    enforce: [
      ...image.chains.map((chain): Operation => ({ kind: 'add-chain', address, name: chain.name, hook: chain.hook })),
      ...image.chains.flatMap((chain) => changeRules(address, chain, [])),
    ],
    fresh: true,
    building: true,
  };
}

/** The rules at the beginning and at the end that are the same stay; what is between is replaced. */
function changeRules(address: TableAddress, chain: ChainImage, now: readonly RuleInfo[]): Operation[] {
  const wanted = chain.rules.map(compileRule);
  const same = (rule: CompiledRule | undefined, has: RuleInfo | undefined): boolean =>
    rule !== undefined && rule.fingerprint === has?.fingerprint;
  let head = 0;
  while (head < wanted.length && same(wanted[head], now[head])) head++;
  let tail = 0;
  while (tail < wanted.length - head && tail < now.length - head && same(wanted[wanted.length - 1 - tail], now[now.length - 1 - tail]))
    tail++;
  const before = now[now.length - tail]?.handle;
  return [
    ...wanted.slice(head, wanted.length - tail).map((rule): Operation => ({ kind: 'add-rule', address, chain: chain.name, rule, before })),
    ...now
      .slice(head, now.length - tail)
      .map((rule): Operation => ({ kind: 'delete-rule', address, chain: chain.name, handle: rule.handle })),
  ];
}
