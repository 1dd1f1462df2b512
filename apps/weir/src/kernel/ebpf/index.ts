/** Programs and maps of hooks in the kernel. */
export { type Cleared, clearEbpf } from './clear-ebpf.ts';
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
export { EngineBusyError, MissingFeatureError } from './engine-error.ts';
export { createMap, type LoadedHook, type LoadHookOptions, loadHook, PROGRAM_TYPES } from './load-hook.ts';
