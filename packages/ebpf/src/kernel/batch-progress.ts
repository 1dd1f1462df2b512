const EINTR = 4;
const EAGAIN = 11;
const EFAULT = 14;
/** Interruptions in a row without an entry between them. */
const MAX_INTERRUPTED = 100;

/** What one system call over many entries gave: 0 or its errno, and the count that it left in its attribute. */
export interface BatchCall {
  readonly errno: number;
  readonly count: number;
}

/**
 * Repeats `call` from where it stopped until all of `total` entries are taken or it fails. An interrupted call goes on after the entries that it took. `done` entries, the
 * first ones, were taken; `errno` is 0 when that is all of them.
 */
export function runBatch(total: number, call: (from: number) => BatchCall): { readonly errno: number; readonly done: number } {
  let done = 0;
  let interrupted = 0;
  while (done < total) {
    const { errno, count } = call(done);
    if (errno === 0) return { errno, done: total };
    // What is refused before the first entry leaves the count as it was; after EFAULT the kernel may not have written it.
    const taken = errno === EFAULT || count >= total - done ? 0 : count;
    done += taken;
    interrupted = taken > 0 ? 0 : interrupted + 1;
    if ((errno !== EINTR && errno !== EAGAIN) || interrupted > MAX_INTERRUPTED) return { errno, done };
  }
  return { errno: 0, done };
}
