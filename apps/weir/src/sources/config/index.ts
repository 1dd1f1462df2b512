/** Configuration files: YAML text to a checked `Config`, every mistake as a diagnostic with its place. */
export { CODES, type Code } from './codes.ts';
export { type PatternResult, parseCommunityPattern, printCommunityPattern, WELL_KNOWN } from './community-pattern.ts';
export { MAX_DURATION, parseDuration, printDuration } from './duration.ts';
export { type Files, type Loaded, loadConfig, MAX_DIAGNOSTICS, MAX_FILE_BYTES, MAX_INCLUDES, systemFiles } from './load.ts';
export { type Paint, PLAIN, printDiagnostic } from './print-diagnostic.ts';
export { DEFAULTS } from './raw.ts';
export { describeFile } from './schema.ts';
export type { KeyDoc, ShapeDoc } from './shape.ts';
export { SourceText } from './source-text.ts';
export { suggest } from './suggest.ts';
export { MAX_DEPTH, MAX_VALUES } from './tree.ts';
