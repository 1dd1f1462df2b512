/** Linux system calls for Node through koffi: the only native code in Weir. */
export { errnoName, SystemError } from './libc.ts';
export { NETLINK_NETFILTER, NETLINK_ROUTE, type NetlinkOptions, NetlinkSocket, type Received } from './netlink.ts';
export { inNetworkNamespace, networkNamespacePath } from './netns.ts';
