/** Conversations with the kernel over NETLINK_NETFILTER (requests, dumps, transactions, notifications) and NETLINK_ROUTE. */
export { Batch, type BatchMessage, type ItemList } from './batch.ts';
export {
  type CommitOptions,
  type CommitResult,
  type ConnectionOptions,
  type DumpVisitor,
  NetfilterConnection,
  type Request,
  type Visit,
} from './connection.ts';
export { KernelError, type KernelErrorFields } from './kernel-error.ts';
export {
  type MonitorOptions,
  type MonitorOutcome,
  NetfilterMonitor,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
  NFNLGRP_CONNTRACK_UPDATE,
  NFNLGRP_NFTABLES,
  NFNLGRP_NFTRACE,
} from './monitor.ts';
export { RouteConnection, type RouteRequest, type RouteVisit } from './route-connection.ts';
