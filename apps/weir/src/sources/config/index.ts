/** Configuration files: YAML text to a checked `Config`, every mistake as a diagnostic with its place. */

export { MAX_DEPTH, MAX_VALUES } from '../yaml/bounds.ts';
export { CODES, type Code } from '../yaml/codes.ts';
export { MAX_DURATION, parseDuration, printDuration } from '../yaml/duration.ts';
export { type Files, systemFiles } from '../yaml/files.ts';
export { type Paint, PLAIN, printDiagnostic } from '../yaml/print-diagnostic.ts';
export { MAX_DIAGNOSTICS } from '../yaml/reading.ts';
export type { KeyDoc, ShapeDoc } from '../yaml/shape.ts';
export { SourceText } from '../yaml/source-text.ts';
export { suggest } from '../yaml/suggest.ts';
export { checkEnforceable } from './check-enforceable.ts';
export { type PatternResult, parseCommunityPattern, printCommunityPattern, WELL_KNOWN } from './community-pattern.ts';
export { type Loaded, loadConfig, MAX_FILE_BYTES, MAX_INCLUDES } from './load.ts';
export { DEFAULTS } from './raw.ts';
export { describeFile } from './schema.ts';
export { digestTexts, type Texts, textFiles } from './texts.ts';
