/** Constants that programs name because they are not the same in every kernel: the offset of `status` in struct nf_conn, in octets. */
export const NF_CONN_STATUS = 'nf_conn.status';
