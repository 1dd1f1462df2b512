import type { Diagnostic } from '../../model/diagnostic.ts';
import type { SourceText } from './source-text.ts';

/** Most of a source line that is shown beside a diagnostic. */
const MAX_LINE = 140;

export interface Paint {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

const PLAIN: Paint = { error: (t) => t, warning: (t) => t, strong: (t) => t, faint: (t) => t };

/**
 * A diagnostic as text, without a line break at the end:
 * ```
 * weir.yaml:3:7 error[E011] AS 0 is not an AS that can speak BGP (RFC 7607)
 *   as: 0
 *       ^
 * hint: ...
 * ```
 * The line is shown as written, with control characters replaced, and cut around the place when it is long.
 */
export function printDiagnostic(d: Diagnostic, sources: ReadonlyMap<string, SourceText>, paint: Paint = PLAIN): string {
  const colour = d.severity === 'error' ? paint.error : paint.warning;
  const where = `${printable(d.span.file)}:${d.span.line}:${d.span.column}`;
  const out = [`${paint.strong(where)} ${colour(`${d.severity}[${d.code}]`)} ${printable(d.message)}`];
  const source = sources.get(d.span.file);
  const line = [...(source?.line(d.span.line) ?? '')];
  if (line.some((c) => c.trim() !== '')) {
    const from = d.span.column - 1;
    const start = line.length <= MAX_LINE ? 0 : Math.max(0, Math.min(from - 40, line.length - MAX_LINE));
    const shown = line.slice(start, start + MAX_LINE);
    const lead = start > 0 ? '...' : '';
    const carets = Math.max(1, Math.min(d.span.length, start + shown.length - from));
    out.push(lead + printable(shown.join('')) + (start + shown.length < line.length ? '...' : ''));
    out.push(' '.repeat(lead.length + from - start) + colour('^'.repeat(carets)));
  }
  if (d.hint !== undefined) out.push(paint.faint(`hint: ${printable(d.hint)}`));
  return out.join('\n');
}

/** Each control character becomes one `?`, a tab one space: what a file contains must not move the cursor, and carets must stay under their place. */
function printable(text: string): string {
  return text.replaceAll('\t', ' ').replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '?');
}
