/** Configuration files: YAML text to a checked `Config`, every mistake as a diagnostic with its place. */

export { CODES, type Code } from '../yaml/codes.ts';
export { type Files, systemFiles } from '../yaml/files.ts';
export { type Paint, printDiagnostic } from '../yaml/print-diagnostic.ts';
export type { KeyDoc, ShapeDoc } from '../yaml/shape.ts';
export { SourceText } from '../yaml/source-text.ts';
export { checkEnforceable } from './check-enforceable.ts';
export type { PatternResult } from './community-pattern.ts';
export { Interfaces } from './interfaces.ts';
export { type Loaded, loadConfig } from './load.ts';
export { MAX_TENANTS, namespaceKey } from './load-tenants.ts';
export { refuseEbpf, refuseUnattached } from './refuse-hooks.ts';
export { describeFile } from './schema.ts';
export { parseOwnCommunity } from './schema-parts.ts';
export { digestTexts, type Texts, textFiles } from './texts.ts';
