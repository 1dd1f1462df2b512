/** Types of programs (`enum bpf_prog_type`) by number, under the names that bpftool prints. */
export const PROGRAM_TYPES = [
  'unspec',
  'socket_filter',
  'kprobe',
  'sched_cls',
  'sched_act',
  'tracepoint',
  'xdp',
  'perf_event',
  'cgroup_skb',
  'cgroup_sock',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'sock_ops',
  'sk_skb',
  'cgroup_device',
  'sk_msg',
  'raw_tracepoint',
  'cgroup_sock_addr',
  'lwt_seg6local',
  'lirc_mode2',
  'sk_reuseport',
  'flow_dissector',
  'cgroup_sysctl',
  'raw_tracepoint_writable',
  'cgroup_sockopt',
  'tracing',
  'struct_ops',
  'ext',
  'lsm',
  'sk_lookup',
  'syscall',
  'netfilter',
] as const;

export type ProgramType = (typeof PROGRAM_TYPES)[number];

export function programTypeNumber(type: ProgramType): number {
  return PROGRAM_TYPES.indexOf(type);
}

/** Places that programs are made for or attached to (`enum bpf_attach_type`): the ones used here. */
export const ATTACH_TYPES = {
  cgroup_inet_ingress: 0,
  cgroup_inet_egress: 1,
  cgroup_inet4_connect: 10,
  cgroup_inet6_connect: 11,
  cgroup_udp4_sendmsg: 14,
  cgroup_udp6_sendmsg: 15,
  xdp: 37,
  netfilter: 45,
  tcx_ingress: 46,
  tcx_egress: 47,
} as const;

export type AttachType = keyof typeof ATTACH_TYPES;

/** The name of an attach type; undefined for one that is not used here. */
export function attachTypeName(number: number): AttachType | undefined {
  return (Object.keys(ATTACH_TYPES) as AttachType[]).find((name) => ATTACH_TYPES[name] === number);
}
