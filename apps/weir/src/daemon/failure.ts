import { BpfError } from '@weir/ebpf/kernel';
import { EXIT, type ExitCode } from '../cli/index.ts';
import { EBPF_RIGHTS } from '../model/ebpf.ts';

const NOT_PERMITTED: ReadonlySet<string> = new Set(['EPERM', 'EACCES']);
const NOT_SUPPORTED: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT', 'ENOSYS', 'ENOTSUP', 'ENOPROTOOPT']);

/** Why the daemon could not start or go on, as an exit code and one line for a person. */
export function explainFailure(error: unknown): { readonly code: ExitCode; readonly message: string } {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // What has been found out says more than what is usual.
  if (NOT_PERMITTED.has(code) && text.includes(EBPF_RIGHTS)) return { code: EXIT.unsupported, message: text };
  if (NOT_PERMITTED.has(code) && error instanceof BpfError) return { code: EXIT.unsupported, message: `${text}; ${EBPF_RIGHTS}` };
  if (NOT_PERMITTED.has(code)) {
    return {
      code: EXIT.unsupported,
      message: `${text}: Weir needs CAP_NET_ADMIN in the network namespace that it manages (and CAP_SYS_ADMIN to enter another one)`,
    };
  }
  if (NOT_SUPPORTED.has(code))
    return { code: EXIT.unsupported, message: `${text}: this kernel lacks a feature that Weir needs (nf_tables over netlink)` };
  return { code: EXIT.error, message: text };
}
