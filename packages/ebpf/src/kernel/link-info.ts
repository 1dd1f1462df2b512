import { objectInfo } from './object-info.ts';
import { type AttachType, attachTypeName } from './program-type.ts';

/** What the kernel says about a link (`struct bpf_link_info`). An interface's index is 0 when it is gone; its namespace is not told. */
export type LinkInfo = { readonly id: number; readonly programId: number } & (
  | { readonly kind: 'xdp'; readonly interface: number }
  | { readonly kind: 'tcx'; readonly interface: number; readonly attachType: AttachType | undefined }
  | { readonly kind: 'cgroup'; readonly cgroup: bigint; readonly attachType: AttachType | undefined }
  | { readonly kind: 'netfilter'; readonly family: number; readonly hook: number; readonly priority: number; readonly flags: number }
  | { readonly kind: 'other'; readonly type: number }
);

const LENGTH = 64;
const CGROUP = 3;
const XDP = 6;
const NETFILTER = 10;
const TCX = 11;

/** SystemError when the descriptor is no link. */
export function readLinkInfo(fd: number): LinkInfo {
  return decodeLinkInfo(objectInfo(fd, LENGTH));
}

export function decodeLinkInfo(view: DataView): LinkInfo {
  const u32 = (at: number): number => view.getUint32(at, true);
  const base = { id: u32(4), programId: u32(8) };
  const type = u32(0);
  switch (type) {
    case XDP:
      return { ...base, kind: 'xdp', interface: u32(16) };
    case TCX:
      return { ...base, kind: 'tcx', interface: u32(16), attachType: attachTypeName(u32(20)) };
    case CGROUP:
      return { ...base, kind: 'cgroup', cgroup: view.getBigUint64(16, true), attachType: attachTypeName(u32(24)) };
    case NETFILTER:
      return { ...base, kind: 'netfilter', family: u32(16), hook: u32(20), priority: view.getInt32(24, true), flags: u32(28) };
    default:
      return { ...base, kind: 'other', type };
  }
}
