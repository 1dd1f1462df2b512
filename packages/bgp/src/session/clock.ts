/** A timer that has been set. */
export interface ClockTimer {
  cancel(): void;
}

/** Time and chance, handed to sessions so that tests can rule both. */
export interface Clock {
  /** Milliseconds since the epoch, never stepping back while the process lives. */
  now(): number;
  setTimer(ms: number, action: () => void): ClockTimer;
  /** Runs `action` once the input that has arrived already has been read. */
  afterInput(action: () => void): void;
  /** In [0, 1). */
  random(): number;
}

/** The longest delay that `setTimeout` takes. */
const MAX_DELAY = 0x7fffffff;

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimer: (ms, action) => {
    const timer = setTimeout(action, Math.min(ms, MAX_DELAY));
    return { cancel: () => clearTimeout(timer) };
  },
  // The first immediate may run in the turn of the loop that is under way; the second has sockets polled before it.
  afterInput: (action) => setImmediate(() => setImmediate(action)),
  random: Math.random,
};
