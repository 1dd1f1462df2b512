/** Programs and maps of hooks in the kernel. */
export { createMap, type LoadedHook, type LoadHookOptions, loadHook, PROGRAM_TYPES } from './load-hook.ts';
