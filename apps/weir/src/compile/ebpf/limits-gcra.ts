import type { Label, Register } from '@weir/ebpf/asm';
import type { RateLimit } from '../../model/rule.ts';
import type { RuleAssembler } from './layout.ts';

/**
 * A token bucket as one number of 64 bits, so that programs on several CPUs share it without a lock: the generic cell rate algorithm (ITU-T I.371, as virtual scheduling). The
 * number is the time at which the bucket will be full again. A packet costs the time in which its tokens come back; it is let through where the bucket is full again at most `tolerance`
 * from now with it, and then moves that time on. A number that lies in the past says that the bucket is full, and so does one that lies further ahead than can be (`horizon`):
 * the clock has gone round since, or nothing was written there yet.
 *
 * Times are nanoseconds shifted left, so that what a token costs has at least 10 bits and the rate is off by at most 0.05 %.
 */
export interface BucketTimes {
  readonly shift: number;
  /** What one packet costs, whatever its length. */
  readonly perPacket: bigint;
  readonly perOctet: bigint;
  readonly tolerance: bigint;
  readonly horizon: bigint;
}

const SECOND = 1_000_000_000;
const LEAST_COST = 1024;
const MOST_SHIFT = 20;
const MOST_TOLERANCE = 1n << 62n;
/** Two CPUs may read the clock that far apart, before one of them writes; in nanoseconds, 69 s. */
const SLACK = 1n << 36n;

export function bucketTimes({ unit, rate, burst }: Pick<RateLimit, 'unit' | 'rate' | 'burst'>): BucketTimes {
  const each = SECOND / Math.max(1, rate);
  let shift = 0;
  while (each * 2 ** shift < LEAST_COST && shift < MOST_SHIFT) shift++;
  const cost = BigInt(Math.max(1, Math.round(each * 2 ** shift)));
  const full = cost * BigInt(Math.max(1, Math.ceil(burst)));
  const tolerance = full < MOST_TOLERANCE ? full : MOST_TOLERANCE;
  const horizon = tolerance + (SLACK << BigInt(shift));
  return { shift, perPacket: unit === 'packets' ? cost : 0n, perOctet: unit === 'bytes' ? cost : 0n, tolerance, horizon };
}

/** Nanoseconds in which an empty bucket is full again: one that has rested for so long can be forgotten. */
export function refillTime({ unit, rate, burst }: Pick<RateLimit, 'unit' | 'rate' | 'burst'>): bigint {
  const { shift, tolerance } = bucketTimes({ unit, rate, burst });
  return tolerance >> BigInt(shift);
}

/** How often a program tries to write a bucket that others write at the same time. */
const TRIES = 4;

export interface Take {
  /** Where the number of the bucket is. */
  readonly bucket: Register;
  readonly offset: number;
  /** Loads a bound of the bucket into r1. */
  readonly horizon: () => void;
  readonly tolerance: () => void;
  readonly taken: Label;
  readonly over: Label;
}

/**
 * Takes what r2 says out of a bucket, of which r3 is the time now; goes to `taken` or `over`. r0, r1, r4 and r5 are lost. Where others were quicker `TRIES` times it takes in any case: each of them
 * has just taken, so the bucket has what this one is ahead by subtracted from what comes, and the rate stays what it is.
 */
export function emitTake(asm: RuleAssembler, { bucket, offset, horizon, tolerance, taken, over }: Take): void {
  for (let tries = 0; tries < TRIES; tries++) {
    const fresh = asm.label('not full');
    asm.load('r4', 'u64', bucket, offset).mov('r5', 'r4').alu('r5', '-=', 'r3');
    horizon();
    asm.jump('r5', '<', 'r1', fresh).mov('r5', 0).place(fresh);
    asm.alu('r5', '+=', 'r2');
    tolerance();
    asm.jump('r5', '>', 'r1', over);
    asm.alu('r5', '+=', 'r3').mov('r0', 'r4').compareExchange('u64', bucket, offset, 'r5').jump('r0', '==', 'r4', taken);
  }
  asm.atomic('u64', bucket, offset, 'add', 'r2').goto(taken);
}
