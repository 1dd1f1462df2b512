/** Packets sent through one hook of the kernel, in a network namespace of their own. */
export { type BedOptions, MAX_SHOTS, ReplayBed, type Shot, type Sight } from './bed.ts';
export type { ReplayHook, ReplayState } from './observer.ts';
export { ProgramBed, type ProgramBedOptions, type ProgramSight } from './program-bed.ts';
export { type TraceKind, TraceReader, type TraceStep } from './trace-reader.ts';
