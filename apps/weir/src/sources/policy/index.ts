/** Policy files: YAML text to a checked `Policy`, every mistake as a diagnostic with its place. */
export type { RefuseHook } from './build-rule.ts';
export type { SetType } from './lists.ts';
export { type LoadedPolicy, loadPolicy, MAX_POLICY_FILE_BYTES, type PolicyFile, type PolicyOptions } from './load.ts';
export { type BeforePolicy, policyToJson } from './print-json.ts';
export { PolicyFormatError, policyFromJson } from './read-json.ts';
export { isPolicyText } from './recognise.ts';
export { describePolicy } from './schema.ts';
