import type { Reader } from '@weir/wire/bytes';
import { type Header, type NetfilterHeader, NFNL_SUBSYS_NFTABLES, readBytes } from '../message/index.ts';
import { type Chain, decodeChain } from './chain.ts';
import { decodeElementList, type SetElement } from './element.ts';
import { familyName, type NftFamily } from './family.ts';
import { decodeGeneration, type Generation } from './generation.ts';
import { NFT_MSG } from './message-type.ts';
import { decodeObject, type NftObject } from './object.ts';
import { decodeRule, type Rule } from './rule.ts';
import { decodeSet, type NftSet } from './set.ts';
import { decodeTable, type Table } from './table.ts';
import { decodeTrace, type Trace } from './trace.ts';

/** A change of the ruleset, as group NFTABLES tells it. The changes of one commit come first, then its `generation`. */
export type Notification =
  | { readonly kind: 'new-table' | 'delete-table'; readonly table: Table }
  | { readonly kind: 'new-chain' | 'delete-chain'; readonly chain: Chain }
  | { readonly kind: 'new-rule' | 'delete-rule'; readonly rule: Rule }
  | { readonly kind: 'new-set' | 'delete-set'; readonly set: NftSet }
  | {
      readonly kind: 'new-elements' | 'delete-elements';
      readonly family: NftFamily;
      readonly table: string;
      readonly set: string;
      readonly elements: readonly SetElement[];
    }
  | { readonly kind: 'new-object' | 'delete-object'; readonly object: NftObject }
  | { readonly kind: 'generation'; readonly generation: Generation }
  | { readonly kind: 'trace'; readonly trace: Trace }
  | { readonly kind: 'unknown'; readonly type: number; readonly family: number; readonly bytes: Uint8Array };

/** Undefined for a message of another subsystem. DecodeError when it is malformed. */
export function decodeNotification(header: Header, netfilter: NetfilterHeader, r: Reader): Notification | undefined {
  if (header.type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
  const message = header.type & 0xff;
  if (message === NFT_MSG.newGen) return { kind: 'generation', generation: decodeGeneration(r) };
  const family = familyName(netfilter.family);
  if (message === NFT_MSG.trace) return { kind: 'trace', trace: decodeTrace(family, r) };
  if (!family) return { kind: 'unknown', type: header.type, family: netfilter.family, bytes: readBytes(r) };
  switch (message) {
    case NFT_MSG.newTable:
      return { kind: 'new-table', table: decodeTable(family, r) };
    case NFT_MSG.delTable:
    case NFT_MSG.destroyTable:
      return { kind: 'delete-table', table: decodeTable(family, r) };
    case NFT_MSG.newChain:
      return { kind: 'new-chain', chain: decodeChain(family, r) };
    case NFT_MSG.delChain:
    case NFT_MSG.destroyChain:
      return { kind: 'delete-chain', chain: decodeChain(family, r) };
    case NFT_MSG.newRule:
      return { kind: 'new-rule', rule: decodeRule(family, r) };
    case NFT_MSG.delRule:
    case NFT_MSG.destroyRule:
      return { kind: 'delete-rule', rule: decodeRule(family, r) };
    case NFT_MSG.newSet:
      return { kind: 'new-set', set: decodeSet(family, r) };
    case NFT_MSG.delSet:
    case NFT_MSG.destroySet:
      return { kind: 'delete-set', set: decodeSet(family, r) };
    case NFT_MSG.newSetElem:
      return { kind: 'new-elements', family, ...decodeElementList(r) };
    case NFT_MSG.delSetElem:
    case NFT_MSG.destroySetElem:
      return { kind: 'delete-elements', family, ...decodeElementList(r) };
    case NFT_MSG.newObj:
      return { kind: 'new-object', object: decodeObject(family, r) };
    case NFT_MSG.delObj:
    case NFT_MSG.destroyObj:
      return { kind: 'delete-object', object: decodeObject(family, r) };
    default:
      return { kind: 'unknown', type: header.type, family: netfilter.family, bytes: readBytes(r) };
  }
}
