import { bind, check } from './libc.ts';

const clockGetTime = bind<[number, Uint8Array], number>('int clock_gettime(int clock, void *time)');

const CLOCK_BOOTTIME = 7;

/** Nanoseconds since the machine was started, its sleep included: the clock that `bpf_ktime_get_boot_ns` reads. SystemError. */
export function bootNanoseconds(): bigint {
  // `struct timespec`: seconds i64, nanoseconds i64.
  const time = new BigInt64Array(2);
  check('clock_gettime', clockGetTime(CLOCK_BOOTTIME, new Uint8Array(time.buffer)));
  return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
}
