import { NETLINK_NETFILTER, SystemError } from '@weir/sys';
import { routeRequest } from './route-netlink.ts';

/** NFNL_SUBSYS_NFT_COMPAT, NFNL_MSG_COMPAT_GET. */
const COMPAT_GET = 11 << 8;
const ATTRIBUTE = { name: 1, revision: 2, type: 3 } as const;
const AF_INET = 2;
/** The form with descriptors and paths of pins. */
const REVISION = 1;
const MATCH = 0;
/** The kernel has no such match, or nothing that knows of matches. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

/**
 * Whether rules of nf_tables can ask a program (xt_bpf by nft_compat; `match`), whose modules are loaded for it: why not, or undefined where they can. `netns` is the path of a network namespace.
 * @throws SystemError where the kernel does not let this process ask
 */
export function findNftMatch(netns?: string, match = 'bpf'): string | undefined {
  const header = Uint8Array.of(AF_INET, 0, 0, 0);
  const attributes = [
    { type: ATTRIBUTE.name, value: new TextEncoder().encode(`${match}\0`) },
    { type: ATTRIBUTE.revision, value: bigEndian(REVISION) },
    { type: ATTRIBUTE.type, value: bigEndian(MATCH) },
  ];
  try {
    routeRequest({ protocol: NETLINK_NETFILTER, type: COMPAT_GET, header, attributes, netns });
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError) || !ABSENT.has(error.code)) throw error;
    return `this kernel has no match ${match} for nf_tables (CONFIG_NFT_COMPAT, CONFIG_NETFILTER_XT_MATCH_${match.toUpperCase()}): ${error.code}`;
  }
}

function bigEndian(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}
