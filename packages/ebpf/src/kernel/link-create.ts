import { inNetworkNamespace } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, type BpfFailure } from './bpf-error.ts';
import { BpfLink } from './link.ts';
import type { BpfProgram } from './program.ts';
import { ATTACH_TYPES, type AttachType } from './program-type.ts';

/** Where a link is made. */
export interface LinkPlace {
  /** For texts: `xdp of interface 3`. */
  readonly name: string;
  readonly attachType: AttachType;
  /** An interface's index, or a cgroup's descriptor. */
  readonly target: number;
  readonly flags?: number;
  readonly netns?: string | undefined;
  /** Writes what the place has of its own into the attribute (`link_create` of `union bpf_attr`). */
  readonly fields?: (attribute: Attribute) => void;
  readonly reasonFor: (errno: number) => Partial<BpfFailure> | undefined;
}

/** Attaches a program by a link (BPF_LINK_CREATE). BpfError. */
export function createLink(program: BpfProgram, place: LinkPlace): BpfLink {
  const attribute = new Attribute()
    .u32(0, program.fd)
    .u32(4, place.target)
    .u32(8, ATTACH_TYPES[place.attachType])
    .u32(12, place.flags ?? 0);
  place.fields?.(attribute);
  const create = (): number => attribute.call(COMMAND.linkCreate);
  const failure: BpfFailure = { operation: 'attach', object: `${program.describe()} at ${place.name}`, needs: ['CAP_NET_ADMIN'] };
  const fd = attempt(failure, () => (place.netns === undefined ? create() : inNetworkNamespace(place.netns, create)), place.reasonFor);
  return BpfLink.fromFd(fd, place.name);
}
