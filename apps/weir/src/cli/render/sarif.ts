import type { SourceSpan } from '../../model/provenance.ts';
import { version } from '../version.ts';
import { fileUri } from './file-uri.ts';

export interface SarifResult {
  readonly code: string;
  readonly level: 'error' | 'warning' | 'note';
  readonly message: string;
  readonly hint: string | undefined;
  readonly span: SourceSpan;
  readonly related: readonly { readonly name: string; readonly span: SourceSpan }[];
}

/** SARIF 2.1.0, for code review tools. `codes` are all that there are, with what they mean. */
export function sarif(codes: Readonly<Record<string, string>>, results: readonly SarifResult[]): unknown {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'weir',
            version: version(),
            rules: Object.entries(codes).map(([id, text]) => ({ id, shortDescription: { text } })),
          },
        },
        columnKind: 'unicodeCodePoints',
        results: results.map(({ code, level, message, hint, span, related }) => ({
          ruleId: code,
          level,
          message: { text: hint === undefined ? message : `${message}; ${hint}` },
          locations: [{ physicalLocation: location(span) }],
          ...(related.length === 0
            ? {}
            : { relatedLocations: related.map((one, id) => ({ id, message: { text: one.name }, physicalLocation: location(one.span) })) }),
        })),
      },
    ],
  };
}

function location(span: SourceSpan): unknown {
  return {
    artifactLocation: { uri: fileUri(span.file) },
    region: { startLine: span.line, startColumn: span.column, endColumn: span.column + span.length },
  };
}
