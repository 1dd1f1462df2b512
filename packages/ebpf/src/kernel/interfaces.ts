import { attempt } from './bpf-error.ts';
import { readAttributes, routeDump } from './route-netlink.ts';

const RTM_GETLINK = 18;
/** `struct ifinfomsg`: family u8, padding u8, type u16, index i32, flags u32, change u32. */
const IFINFOMSG = 16;
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
const IFLA_IFNAME = 3;
const IFLA_XDP = 43;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;

const MODES = [undefined, 'native', 'generic', 'offload', 'several'] as const;

/** An interface, with the XDP program that runs there. */
export interface InterfaceInfo {
  readonly name: string;
  readonly index: number;
  /** Its packets begin with an Ethernet header: of the type ARPHRD_ETHER or ARPHRD_LOOPBACK. Tunnels of IP, WireGuard, ppp have none. */
  readonly ethernet: boolean;
  readonly xdp: { readonly mode: 'native' | 'generic' | 'offload' | 'several'; readonly programId: number } | undefined;
}

/** The interfaces of a network namespace (a name as in `ip netns`, or a path; the thread's own unless told). BpfError. */
export function listInterfaces(netns?: string): readonly InterfaceInfo[] {
  const found: InterfaceInfo[] = [];
  attempt({ operation: 'list', object: 'interfaces' }, () =>
    routeDump({ type: RTM_GETLINK, header: new Uint8Array(IFINFOMSG), netns }, (message) => {
      const one = decodeInterface(message);
      if (one) found.push(one);
    }),
  );
  return found;
}

/** One message of RTM_NEWLINK after its netlink header; undefined for one that has no name. */
export function decodeInterface(message: Uint8Array): InterfaceInfo | undefined {
  if (message.length < IFINFOMSG) return undefined;
  const index = viewOf(message).getInt32(4, true);
  const link = viewOf(message).getUint16(2, true);
  const ethernet = link === ARPHRD_ETHER || link === ARPHRD_LOOPBACK;
  let name: string | undefined;
  let xdp: InterfaceInfo['xdp'];
  for (const { type, value } of readAttributes(message.subarray(IFINFOMSG))) {
    if (type === IFLA_IFNAME) name = new TextDecoder().decode(value).replace(/\0+$/, '');
    if (type === IFLA_XDP) xdp = decodeXdp(value);
  }
  return name === undefined ? undefined : { name, index, ethernet, xdp };
}

function decodeXdp(bytes: Uint8Array): InterfaceInfo['xdp'] {
  let mode: (typeof MODES)[number];
  let programId = 0;
  for (const { type, value } of readAttributes(bytes)) {
    if (type === IFLA_XDP_ATTACHED && value.length >= 1) mode = MODES[value[0] ?? 0];
    if (type === IFLA_XDP_PROG_ID && value.length >= 4) programId = viewOf(value).getUint32(0, true);
  }
  return mode && { mode, programId };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
