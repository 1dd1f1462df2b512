/** What is done in steps: each `next` takes a few milliseconds, the last gives what it comes to. */
export type Steps<T> = Iterator<undefined, T>;

/** Does it at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** So long (ms) other work of the thread waits for steps. */
const LONGEST = 8;

/** Does it bit by bit: messages that have come meanwhile are handled in between. */
export async function bitByBit<T>(steps: Steps<T>): Promise<T> {
  let from = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - from < LONGEST) continue;
    // The first comes before the loop looks for messages again, the second after that.
    await turn();
    await turn();
    from = performance.now();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
