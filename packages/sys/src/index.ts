/** Linux system calls for Node through koffi: the only native code in Weir. */
export { addressOf, bpf } from './bpf.ts';
export { passedDescriptors, storeDescriptor } from './descriptor-store.ts';
export { Epoll } from './epoll.ts';
export { wakeUp } from './event-descriptor.ts';
export { errnoName, SystemError } from './libc.ts';
export { type MapOptions, MappedMemory, pageSize } from './mapped-memory.ts';
export { NETLINK_NETFILTER, NETLINK_ROUTE, type NetlinkOptions, NetlinkSocket, type Received } from './netlink.ts';
export { inNetworkNamespace, NetworkNamespace, networkNamespacePath } from './netns.ts';
export { NotificationListener, type ServiceNotification } from './notification-listener.ts';
export { notifyServiceManager } from './notify.ts';
export { PacketSocket, type PacketSocketOptions } from './packet-socket.ts';
export { type PeerCredentials, peerCredentials } from './peer-credentials.ts';
export { type RawIpPacket, RawIpSocket, type RawIpSocketOptions } from './raw-ip-socket.ts';
export { interfaceIndex, isLinkLocal } from './sockaddr.ts';
export { closeFd } from './socket.ts';
export { setSocketFilter } from './socket-filter.ts';
export { openTcp, openTcpListener, socketFd, type TcpConnectOptions, type TcpListenOptions, type TcpOptions } from './tcp.ts';
export { getMinTtl, getTos, getTtl, type Md5Key, setMd5Key, setMinTtl, setTos, setTtl } from './tcp-options.ts';
