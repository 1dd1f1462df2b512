/** Policy files: YAML text to a checked `Policy`, every mistake as a diagnostic with its place. */
export { activeRules, nextExpiry } from './active-rules.ts';
export type { SetType } from './lists.ts';
export {
  type LoadedPolicy,
  loadPolicy,
  MAX_INLINED,
  MAX_POLICY_BYTES,
  MAX_POLICY_FILE_BYTES,
  MAX_POLICY_FILES,
  MAX_RULES,
  type PolicyFile,
  type PolicyOptions,
} from './load.ts';
export { describePolicy } from './schema.ts';
