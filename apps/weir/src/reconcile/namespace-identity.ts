import { statSync } from 'node:fs';
import { networkNamespacePath } from '@weir/sys';

/** The same as long as it is the same namespace; undefined when there is none. The descriptors that are open in it keep it from being made anew under the same number. */
export function namespaceIdentity(netns: string | undefined): string | undefined {
  try {
    const { dev, ino } = statSync(netns === undefined ? '/proc/thread-self/ns/net' : networkNamespacePath(netns));
    return `${dev}:${ino}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
