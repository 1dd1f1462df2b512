import { NFNL_SUBSYS_NFTABLES, NLM_F_APPEND, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE } from '../message/index.ts';
import { Batch } from '../socket/index.ts';
import { type Chain, type ChainRef, encodeChain, encodeChainRef } from './chain.ts';
import { type ElementTarget, encodeElements, encodeTarget, type SetElement } from './element.ts';
import { type ElementColumns, ElementEncoder, type ElementExtras } from './element-columns.ts';
import { familyNumber, type NftFamily } from './family.ts';
import { NFT_MSG, nftType } from './message-type.ts';
import { encodeRule, encodeRuleRef, type Rule, type RuleRef } from './rule.ts';
import { encodeSet, encodeSetRef, type NftSet, type SetRef } from './set.ts';
import { encodeTable, encodeTableRef, type Table, type TableRef } from './table.ts';

/** How an object is added. `exclusive`: refuse (EEXIST) when it is there already; without it, what is there stays and the addition succeeds. */
export interface AddOptions<Tag> {
  readonly tag?: Tag;
  readonly exclusive?: boolean;
}

/** How something is removed. `destroy`: no error when it is not there (Linux 6.3). */
export interface DeleteOptions<Tag> {
  readonly tag?: Tag;
  readonly destroy?: boolean;
}

const LIST_OF_ELEMENTS = 3;
/** Of a rule: NFTA_RULE_EXPRESSIONS. */
const EXPRESSIONS = { attribute: 4, itemOf: (position: number): number => position } as const;

function create(options: { readonly exclusive?: boolean }): number {
  return NLM_F_CREATE | (options.exclusive ? NLM_F_EXCL : 0);
}

/**
 * One transaction on the ruleset: its methods add messages in the order in which the kernel is to work through them; `NetfilterConnection.commit` sends it.
 * What refuses one message refuses all of it. `tag` goes with a message and comes back in the KernelError that names it. Methods throw RangeError for what
 * netlink cannot carry, and add nothing then.
 */
export class NftTransaction<Tag = unknown> extends Batch<Tag> {
  constructor(capacity = 4096) {
    super(NFNL_SUBSYS_NFTABLES, capacity);
  }

  /** Adds a table, or changes the flags of one that is there. */
  addTable(table: Table, options: AddOptions<Tag> = {}): this {
    const message = { type: nftType(NFT_MSG.newTable), flags: create(options), family: familyNumber(table.family) };
    this.add({ ...message, operation: `add table ${table.family} ${table.name}`, tag: options.tag }, (w) => encodeTable(w, table));
    return this;
  }

  /** With all that is in it. */
  deleteTable(table: TableRef, options: DeleteOptions<Tag> = {}): this {
    const type = nftType(options.destroy ? NFT_MSG.destroyTable : NFT_MSG.delTable);
    const message = { type, flags: 0, family: familyNumber(table.family) };
    this.add({ ...message, operation: `delete table ${table.family} ${table.name}`, tag: options.tag }, (w) => encodeTableRef(w, table));
    return this;
  }

  /** Adds a chain, or changes policy, counters and devices of one that is there. */
  addChain(chain: Chain, options: AddOptions<Tag> = {}): this {
    const message = { type: nftType(NFT_MSG.newChain), flags: create(options), family: familyNumber(chain.family) };
    this.add({ ...message, operation: `add chain ${nameOf(chain)}`, tag: options.tag }, (w) => encodeChain(w, chain));
    return this;
  }

  deleteChain(chain: ChainRef, options: DeleteOptions<Tag> = {}): this {
    const type = nftType(options.destroy ? NFT_MSG.destroyChain : NFT_MSG.delChain);
    const message = { type, flags: 0, family: familyNumber(chain.family) };
    this.add({ ...message, operation: `delete chain ${nameOf(chain)}`, tag: options.tag }, (w) => encodeChainRef(w, chain));
    return this;
  }

  /**
   * Adds a rule at the end of its chain, or after the rule `position` (or `positionId`); with `insert` at the beginning, or before it. Its own handle is not looked at.
   * With `echo` the kernel sends the rule back, with its handle, to `CommitOptions.echo`.
   */
  addRule(rule: Rule, options: { readonly tag?: Tag; readonly insert?: boolean; readonly echo?: boolean } = {}): this {
    const flags = NLM_F_CREATE | (options.insert ? 0 : NLM_F_APPEND) | (options.echo ? NLM_F_ECHO : 0);
    return this.#rule(`add rule to ${rule.family} ${rule.table} ${rule.chain}`, flags, rule, options.tag, true);
  }

  /** Puts a rule in the place of another. */
  replaceRule(handle: bigint, rule: Rule, options: { readonly tag?: Tag; readonly echo?: boolean } = {}): this {
    const { position: _, positionId: __, ...fresh } = rule;
    const flags = NLM_F_REPLACE | (options.echo ? NLM_F_ECHO : 0);
    return this.#rule(`replace rule ${handle} of ${rule.family} ${rule.table} ${rule.chain}`, flags, { ...fresh, handle }, options.tag);
  }

  #rule(operation: string, flags: number, rule: Rule, tag: Tag | undefined, fresh = false): this {
    const head = { type: nftType(NFT_MSG.newRule), flags, family: familyNumber(rule.family), operation, tag, list: EXPRESSIONS };
    this.add(head, (w) => encodeRule(w, rule, fresh));
    return this;
  }

  deleteRule(rule: RuleRef, options: DeleteOptions<Tag> = {}): this {
    const type = nftType(options.destroy ? NFT_MSG.destroyRule : NFT_MSG.delRule);
    const operation = `delete rule ${rule.handle} of ${rule.family} ${rule.table} ${rule.chain}`;
    this.add({ type, flags: 0, family: familyNumber(rule.family), operation, tag: options.tag }, (w) => encodeRuleRef(w, rule));
    return this;
  }

  /** Every rule of a chain. */
  flushChain(chain: ChainRef, options: { readonly tag?: Tag } = {}): this {
    const message = { type: nftType(NFT_MSG.delRule), flags: 0, family: familyNumber(chain.family) };
    this.add({ ...message, operation: `flush chain ${nameOf(chain)}`, tag: options.tag }, (w) => {
      encodeTarget(w, { table: chain.table, set: chain.name });
    });
    return this;
  }

  addSet(set: NftSet, options: AddOptions<Tag> = {}): this {
    const message = { type: nftType(NFT_MSG.newSet), flags: create(options), family: familyNumber(set.family) };
    this.add({ ...message, operation: `add set ${nameOf(set)}`, tag: options.tag }, (w) => encodeSet(w, set));
    return this;
  }

  deleteSet(set: SetRef, options: DeleteOptions<Tag> = {}): this {
    const type = nftType(options.destroy ? NFT_MSG.destroySet : NFT_MSG.delSet);
    const message = { type, flags: 0, family: familyNumber(set.family) };
    this.add({ ...message, operation: `delete set ${nameOf(set)}`, tag: options.tag }, (w) => encodeSetRef(w, set));
    return this;
  }

  /** Adds elements, in as many messages as they need. KernelError's `item` is an index into `elements`. */
  addElements(set: SetRef & { readonly id?: number }, elements: readonly SetElement[], options: AddOptions<Tag> = {}): this {
    return this.#elements(NFT_MSG.newSetElem, create(options), 'add elements to', set, elements, options.tag);
  }

  deleteElements(set: SetRef & { readonly id?: number }, elements: readonly SetElement[], options: DeleteOptions<Tag> = {}): this {
    const message = options.destroy ? NFT_MSG.destroySetElem : NFT_MSG.delSetElem;
    return this.#elements(message, 0, 'delete elements from', set, elements, options.tag);
  }

  #elements(
    message: number,
    flags: number,
    operation: string,
    set: SetRef & { readonly id?: number },
    elements: readonly SetElement[],
    tag: Tag | undefined,
  ): this {
    for (let from = 0; from < elements.length; ) {
      const first = from;
      const list = { attribute: LIST_OF_ELEMENTS, itemOf: (position: number) => first + position };
      const head = { type: nftType(message), flags, family: familyNumber(set.family), operation: `${operation} ${nameOf(set)}`, tag, list };
      this.add(head, (w) => {
        from = encodeElements(w, target(set), elements, first);
      });
    }
    return this;
  }

  /** As `addElements` for many keys, without an object for each. KernelError's `item` is an index into the columns. */
  addElementColumns(
    set: SetRef & { readonly id?: number },
    columns: ElementColumns,
    options: AddOptions<Tag> & { readonly extras?: ElementExtras } = {},
  ): this {
    const encoder = new ElementEncoder(columns, options.extras);
    return this.#columns(NFT_MSG.newSetElem, create(options), 'add elements to', set, columns, encoder, options.tag);
  }

  deleteElementColumns(set: SetRef & { readonly id?: number }, columns: ElementColumns, options: DeleteOptions<Tag> = {}): this {
    const message = options.destroy ? NFT_MSG.destroySetElem : NFT_MSG.delSetElem;
    return this.#columns(message, 0, 'delete elements from', set, columns, new ElementEncoder(columns), options.tag);
  }

  #columns(
    message: number,
    flags: number,
    operation: string,
    set: SetRef & { readonly id?: number },
    columns: ElementColumns,
    encoder: ElementEncoder,
    tag: Tag | undefined,
  ): this {
    for (let from = 0; from < columns.count; from += encoder.perMessage) {
      const to = Math.min(from + encoder.perMessage, columns.count);
      const list = { attribute: LIST_OF_ELEMENTS, itemOf: (position: number) => encoder.entryAt(from, position) };
      const head = { type: nftType(message), flags, family: familyNumber(set.family), operation: `${operation} ${nameOf(set)}`, tag, list };
      this.add(head, (w) => encoder.encode(w, target(set), from, to));
    }
    return this;
  }

  /** Every element of a set. */
  flushSet(set: SetRef, options: { readonly tag?: Tag } = {}): this {
    const message = { type: nftType(NFT_MSG.delSetElem), flags: 0, family: familyNumber(set.family) };
    this.add({ ...message, operation: `flush set ${nameOf(set)}`, tag: options.tag }, (w) => encodeTarget(w, target(set)));
    return this;
  }
}

function nameOf(object: { readonly family: NftFamily; readonly table: string; readonly name: string }): string {
  return `${object.family} ${object.table} ${object.name}`;
}

function target(set: SetRef & { readonly id?: number }): ElementTarget {
  return { table: set.table, set: set.name, ...(set.id === undefined ? {} : { setId: set.id }) };
}
