import type { SourceSpan } from './provenance.ts';

/** A person's mistake, with its place. `code` is stable: `E001` and so on for errors, `W001` for warnings. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly span: SourceSpan;
  /** What to write instead, where that is known. */
  readonly hint?: string;
}
