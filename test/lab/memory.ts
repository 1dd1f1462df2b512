import { readFileSync } from 'node:fs';
import { LabError } from './error.ts';

/** MiB of memory that a process has (`VmRSS`), or the most that it ever had (`VmHWM`). */
export function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new LabError('missing', `process ${pid} has no ${field}`);
  return Number(kib) / 1024;
}
