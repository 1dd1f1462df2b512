import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, putU32, putU64, readBytes, readString } from '../message/index.ts';
import type { NftFamily } from './family.ts';
import { type Commented, decodeComment, encodeComment } from './userdata.ts';

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

/** Where a base chain is attached. */
export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: Hook;
  /** Lower runs earlier. */
  readonly priority: number;
  /** Accept when absent. */
  readonly policy?: 'accept' | 'drop';
  /** Of ingress and egress chains. */
  readonly devices?: readonly string[];
}

export interface Counters {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface Chain extends Commented {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly base?: BaseChain;
  readonly counters?: Counters;
  /** NFT_CHAIN_* bits besides BASE: 2 offloads to hardware, 4 is an anonymous chain of a rule. */
  readonly flags?: number;
  readonly handle?: bigint;
  /** Rules and jumps that refer to it. */
  readonly use?: number;
}

export interface ChainRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const INET_HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress'];
const NETDEV_HOOKS: readonly Hook[] = ['ingress', 'egress'];
const ARP_HOOKS: readonly Hook[] = ['input', 'output', 'forward'];

function hooksOf(family: NftFamily): readonly Hook[] {
  return family === 'netdev' ? NETDEV_HOOKS : family === 'arp' ? ARP_HOOKS : INET_HOOKS;
}

/** The attributes of NEWCHAIN. A base chain at a hook that has no name here comes without `base`. */
export function decodeChain(family: NftFamily, r: Reader): Chain {
  const chain: Mutable<Chain> = { family, table: '', name: '' };
  let hook: { hook: Hook; priority: number; devices?: readonly string[] } | undefined;
  let policy: 'accept' | 'drop' | undefined;
  let kind: string | undefined;
  let userdata: Uint8Array | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) chain.table = readString(value);
    else if (type === 2) chain.handle = value.u64('NFTA_CHAIN_HANDLE');
    else if (type === 3) chain.name = readString(value);
    else if (type === 4) hook = decodeHook(family, value);
    else if (type === 5) policy = value.u32('NFTA_CHAIN_POLICY') === 0 ? 'drop' : 'accept';
    else if (type === 6) chain.use = value.u32('NFTA_CHAIN_USE');
    else if (type === 7) kind = readString(value);
    else if (type === 8) chain.counters = decodeCounters(value);
    else if (type === 10) {
      const flags = value.u32('NFTA_CHAIN_FLAGS') & ~1;
      if (flags !== 0) chain.flags = flags;
    } else if (type === 12) userdata = readBytes(value);
  });
  if (userdata) Object.assign(chain, decodeComment(userdata));
  if (hook && (kind === 'filter' || kind === 'nat' || kind === 'route')) {
    chain.base = {
      type: kind,
      hook: hook.hook,
      priority: hook.priority,
      ...(policy ? { policy } : {}),
      ...(hook.devices ? { devices: hook.devices } : {}),
    };
  }
  return chain;
}

/** What the kernel takes; RangeError for a hook that the family does not have. */
export function encodeChain(w: Writer, chain: Chain): void {
  putString(w, 1, chain.table);
  putString(w, 3, chain.name);
  if (chain.base) {
    const { base } = chain;
    const number = hooksOf(chain.family).indexOf(base.hook);
    if (number < 0) throw new RangeError(`family ${chain.family} has no hook ${base.hook}`);
    const nest = openNest(w, 4);
    putU32(w, 1, number);
    putU32(w, 2, base.priority);
    if (base.devices) {
      if (base.devices.length === 1) putString(w, 3, base.devices[0] ?? '');
      else {
        const devices = openNest(w, 4);
        for (const device of base.devices) putString(w, 1, device);
        closeAttribute(w, devices);
      }
    }
    closeAttribute(w, nest);
    if (base.policy) putU32(w, 5, base.policy === 'drop' ? 0 : 1);
    putString(w, 7, base.type);
  }
  if (chain.counters) {
    const nest = openNest(w, 8);
    putU64(w, 1, chain.counters.bytes);
    putU64(w, 2, chain.counters.packets);
    closeAttribute(w, nest);
  }
  if (chain.flags !== undefined && chain.flags !== 0) putU32(w, 10, chain.flags | (chain.base ? 1 : 0));
  const userdata = encodeComment(chain);
  if (userdata) putBytes(w, 12, userdata);
}

export function encodeChainRef(w: Writer, chain: ChainRef): void {
  putString(w, 1, chain.table);
  putString(w, 3, chain.name);
}

function decodeHook(family: NftFamily, r: Reader): { hook: Hook; priority: number; devices?: readonly string[] } | undefined {
  let number = -1;
  let priority = 0;
  const devices: string[] = [];
  let single: string | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) number = value.u32('NFTA_HOOK_HOOKNUM');
    else if (type === 2) priority = value.u32('NFTA_HOOK_PRIORITY') | 0;
    else if (type === 3) single = readString(value);
    else if (type === 4) eachAttribute(value, (_type, name) => devices.push(readString(name)));
  });
  // The kernel lists a single device twice: alone and in the list.
  if (devices.length === 0 && single !== undefined) devices.push(single);
  const hook = hooksOf(family)[number];
  return hook && { hook, priority, ...(devices.length > 0 ? { devices } : {}) };
}

function decodeCounters(r: Reader): Counters {
  let packets = 0n;
  let bytes = 0n;
  eachAttribute(r, (type, value) => {
    if (type === 1) bytes = value.u64('NFTA_COUNTER_BYTES');
    else if (type === 2) packets = value.u64('NFTA_COUNTER_PACKETS');
  });
  return { packets, bytes };
}
