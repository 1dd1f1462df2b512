import { NFNL_SUBSYS_NFTABLES } from '../message/index.ts';

/** Messages of nf_tables (`enum nf_tables_msg_types`). DESTROY is DELETE that does not mind when there is nothing to delete (Linux 6.3). */
export const NFT_MSG = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  delChain: 5,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  getSet: 10,
  delSet: 11,
  newSetElem: 12,
  getSetElem: 13,
  delSetElem: 14,
  newGen: 15,
  getGen: 16,
  trace: 17,
  newObj: 18,
  getObj: 19,
  delObj: 20,
  newFlowtable: 22,
  getFlowtable: 23,
  delFlowtable: 24,
  destroyTable: 26,
  destroyChain: 27,
  destroyRule: 28,
  destroySet: 29,
  destroySetElem: 30,
  destroyObj: 31,
} as const;

/** The type as a netlink header carries it. */
export function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}
