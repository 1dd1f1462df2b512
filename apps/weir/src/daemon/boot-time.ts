import { uptime } from 'node:os';

/** Milliseconds since the machine was started, its sleep included. Setting the clock does not change it, and every process counts the same. */
export function bootTime(): number {
  return uptime() * 1000;
}
