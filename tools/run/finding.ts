/** One mistake that a check found. `file` is relative to the root; line is 1-based where there is one. */
export interface Finding {
  readonly file: string;
  readonly line?: number;
  readonly message: string;
}

/** `file:line message`, as editors and people read it. */
export function printFinding(finding: Finding): string {
  return `${finding.file}${finding.line === undefined ? '' : `:${finding.line}`} ${finding.message}`;
}
