import type { HelperName } from './call-names.ts';

/** The types of programs that filter: `netfilter` from Linux 6.4. */
export type FilterType = 'xdp' | 'sched_cls' | 'cgroup_sock_addr' | 'socket_filter' | 'netfilter';

const all: readonly FilterType[] = ['xdp', 'sched_cls', 'cgroup_sock_addr', 'socket_filter', 'netfilter'];
const packets: readonly FilterType[] = ['sched_cls', 'socket_filter'];
const sockets: readonly FilterType[] = ['sched_cls', 'cgroup_sock_addr', 'socket_filter'];
const frames: readonly FilterType[] = ['xdp', 'sched_cls'];

/**
 * The helpers that filters have a use for, and the types of programs that may call them on every kernel from 6.1 (later ones allow some of them to more).
 * `netfilter` programs read a packet through dynptr kfuncs only.
 */
export const HELPER_TYPES: Readonly<Partial<Record<HelperName, readonly FilterType[]>>> = {
  map_lookup_elem: all,
  map_update_elem: all,
  map_delete_elem: all,
  map_lookup_percpu_elem: all,
  for_each_map_elem: all,
  tail_call: all,
  loop: all,
  spin_lock: all,
  spin_unlock: all,
  ktime_get_ns: all,
  ktime_get_boot_ns: all,
  ktime_get_coarse_ns: ['xdp', 'sched_cls', 'cgroup_sock_addr', 'socket_filter'],
  jiffies64: all,
  get_prandom_u32: all,
  get_smp_processor_id: all,
  get_numa_node_id: all,
  ringbuf_output: all,
  ringbuf_reserve: all,
  ringbuf_submit: all,
  ringbuf_discard: all,
  ringbuf_query: all,
  trace_printk: all,
  xdp_get_buff_len: ['xdp'],
  xdp_load_bytes: ['xdp'],
  xdp_store_bytes: ['xdp'],
  xdp_adjust_head: ['xdp'],
  xdp_adjust_tail: ['xdp'],
  xdp_adjust_meta: ['xdp'],
  redirect: frames,
  redirect_map: ['xdp'],
  fib_lookup: frames,
  check_mtu: frames,
  sk_lookup_tcp: ['xdp', 'sched_cls', 'cgroup_sock_addr'],
  sk_lookup_udp: ['xdp', 'sched_cls', 'cgroup_sock_addr'],
  sk_release: ['xdp', 'sched_cls', 'cgroup_sock_addr'],
  skb_load_bytes: packets,
  skb_load_bytes_relative: packets,
  skb_store_bytes: ['sched_cls'],
  skb_pull_data: ['sched_cls'],
  skb_cgroup_id: ['sched_cls'],
  get_socket_cookie: sockets,
  get_socket_uid: packets,
  get_current_pid_tgid: ['cgroup_sock_addr'],
  get_current_uid_gid: ['cgroup_sock_addr'],
  get_current_comm: ['cgroup_sock_addr'],
  get_current_cgroup_id: ['cgroup_sock_addr'],
  get_current_ancestor_cgroup_id: ['cgroup_sock_addr'],
  get_netns_cookie: ['cgroup_sock_addr'],
};
