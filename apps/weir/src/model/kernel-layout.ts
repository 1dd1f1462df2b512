/** What programs name because it is not the same in every kernel: offsets of members, in octets, as `struct.member`. */
export const NF_CONN_STATUS = 'nf_conn.status';
export const SK_BUFF_NFCT = 'sk_buff._nfct';

/** The struct of the kernel, without `__sk_buff` around it; programs do without it where it is missing (before Linux 6.2). */
export const CAST_TO_KERNEL_CONTEXT = 'bpf_cast_to_kern_ctx';
