import type { SourceSpan } from '../../model/provenance.ts';

/** What came of one test. */
export interface TestResult {
  /** The file that it stands in. */
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed; empty when it passed. */
  readonly message: string;
  readonly span: SourceSpan | undefined;
}

/** JUnit's XML, as CI systems read it: a test suite for each file. */
export function toJunit(results: readonly TestResult[]): string {
  const files = [...new Set(results.map((one) => one.file))];
  const failures = results.filter((one) => !one.passed).length;
  const suites = files.map((file) =>
    suite(
      file,
      results.filter((one) => one.file === file),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="weir" tests="${results.length}" failures="${failures}">\n${suites.join('')}</testsuites>\n`;
}

function suite(file: string, results: readonly TestResult[]): string {
  const cases = results.map((one) => {
    const line = one.span ? ` line="${one.span.line}"` : '';
    const head = `    <testcase classname="${xml(file)}" name="${xml(one.name)}" file="${xml(file)}"${line}`;
    return one.passed ? `${head}/>\n` : `${head}>\n      <failure message="${xml(one.message)}"/>\n    </testcase>\n`;
  });
  const failures = results.filter((one) => !one.passed).length;
  return `  <testsuite name="${xml(file)}" tests="${results.length}" failures="${failures}">\n${cases.join('')}  </testsuite>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Text in an attribute. Characters that XML 1.0 does not have are left out. */
function xml(text: string): string {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '').replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
}
