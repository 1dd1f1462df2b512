import { closeFd } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, type BpfFailure } from './bpf-error.ts';
import type { Capability } from './capability.ts';
import { type LinkInfo, readLinkInfo } from './link-info.ts';
import { readOf } from './object-kind.ts';
import type { BpfProgram } from './program.ts';

const NEEDS: readonly Capability[] = ['CAP_NET_ADMIN'];
const EINVAL = 22;
const EPERM = 1;
const REPLACE = 4;

/**
 * A program at its place, by an open descriptor. It stays there until the last descriptor and pin are gone, or `detach`. Calls are synchronous; changing an XDP link waits
 * for RCU (milliseconds). BpfError.
 */
export class BpfLink {
  readonly fd: number;
  readonly #object: string;
  #closed = false;

  private constructor(fd: number, object: string) {
    this.fd = fd;
    this.#object = object;
  }

  /** A link by its descriptor, which is the link's from then on, also when this throws. `name` is for texts, unless its id will do. */
  static fromFd(fd: number, name?: string): BpfLink {
    if (name !== undefined) return new BpfLink(fd, name);
    try {
      const info = attempt({ operation: 'read', object: `link at descriptor ${fd}` }, () => readOf(fd, 'link', readLinkInfo));
      return new BpfLink(fd, `link ${info.id}`);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** A link by its id. Needs CAP_SYS_ADMIN. */
  static fromId(id: number): BpfLink {
    const failure: BpfFailure = { operation: 'open', object: `link ${id}`, needs: ['CAP_SYS_ADMIN'] };
    return BpfLink.fromFd(attempt(failure, () => new Attribute().u32(0, id).call(COMMAND.linkById)));
  }

  info(): LinkInfo {
    return attempt({ operation: 'read', object: this.#object }, () => readLinkInfo(this.fd));
  }

  /**
   * Puts another program in this one's place, without a packet between them. With `expected` only if that one is there now: `changed` otherwise. Links
   * of netfilter cannot: `unsupported`.
   */
  update(program: BpfProgram, expected?: BpfProgram): void {
    const attribute = new Attribute().u32(0, this.fd).u32(4, program.fd);
    if (expected) attribute.u32(8, REPLACE).u32(12, expected.fd);
    attempt(
      { operation: 'replace by', object: `${program.describe()} at ${this.#object}`, needs: NEEDS },
      () => attribute.call(COMMAND.linkUpdate),
      (errno) => (errno === EPERM && expected ? { reason: 'changed', detail: 'another program is there' } : undefined),
    );
  }

  /** Takes the program away at once, whoever else holds the link. */
  detach(): void {
    attempt(
      { operation: 'detach', object: this.#object, needs: NEEDS },
      () => new Attribute().u32(0, this.fd).call(COMMAND.linkDetach),
      (errno) => (errno === EINVAL ? { reason: 'absent', detail: 'it is detached' } : undefined),
    );
  }

  describe(): string {
    return this.#object;
  }

  /** Gives the descriptor back; the program is detached with the last of them, unless the link is pinned. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.fd);
  }
}
