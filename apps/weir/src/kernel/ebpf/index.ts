/** Programs and maps of hooks in the kernel. */
export { AbsentPlaceError } from './attachment.ts';
export { type Cleared, checkUnmanaged, clearEbpf, hasEnginePins } from './clear-ebpf.ts';
export {
  EbpfEngine,
  type EngineOptions,
  type EngineProblem,
  type EngineStatus,
  type KnownMembers,
  type PlaceStatus,
  type Settled,
  type WantedAttachment,
  type WantedHook,
} from './engine.ts';
export { EngineBusyError, MissingFeatureError, RefusedProgramError } from './engine-error.ts';
export type { ListStore } from './list-store.ts';
export { createMap, type LoadedHook, type LoadHookOptions, loadHook, PROGRAM_TYPES } from './load-hook.ts';
export { isOwnMatch, removeOwnPins } from './own-pins.ts';
export { type AttachPlace, describePlace, layoutDirectory, PIN, pinName } from './pin-layout.ts';
export { type CountColumns, readCounts } from './rule-counts.ts';
export type { InForce, Refused, StandIn, StandIns } from './stand-in.ts';
