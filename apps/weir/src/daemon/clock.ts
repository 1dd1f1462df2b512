/** Milliseconds since the epoch that never step back, whatever is done to the system's clock. */
export function monotonicEpoch(): number {
  return performance.timeOrigin + performance.now();
}

/** Time for everything that waits. A timer longer than Node can set is set again. */
export const daemonClock: {
  now(): number;
  setTimer(ms: number, action: () => void): { cancel(): void };
} = {
  now: monotonicEpoch,
  setTimer(ms, action) {
    const end = monotonicEpoch() + ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = end - monotonicEpoch();
      timer = setTimeout(() => (left > LONGEST ? arm() : action()), Math.max(0, Math.min(left, LONGEST)));
    };
    arm();
    return { cancel: () => clearTimeout(timer) };
  },
};

const LONGEST = 2 ** 31 - 1;
