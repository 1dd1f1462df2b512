import type { Hook } from '@weir/filter/scheme';
import type { Prefix } from '@weir/wire/inet';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { SourceSpan } from '../../model/provenance.ts';
import type { WordedPacket } from '../packets/index.ts';
import { type Files, relativeTo } from '../yaml/files.ts';
import { Reading } from '../yaml/reading.ts';
import { type Place, SourceText, spanOf } from '../yaml/source-text.ts';
import { testsShape } from './schema.ts';

export interface PolicyTest {
  readonly name: string;
  readonly words: string;
  readonly packet: WordedPacket;
  readonly hook: Hook | undefined;
  readonly expect: 'allow' | 'deny' | 'reject';
  readonly rule: string | undefined;
  readonly span: SourceSpan;
}

export interface TestFile {
  readonly file: string;
  /** Policy files or a configuration, as paths. */
  readonly policy: readonly string[];
  readonly sets: ReadonlyMap<string, readonly Prefix[]>;
  readonly tests: readonly PolicyTest[];
}

/** `tests` is there exactly when no diagnostic is an error. */
export interface LoadedTests {
  readonly tests: TestFile | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceText>;
}

const BOUNDS = { fileBytes: 16 * 1024 * 1024, totalBytes: 16 * 1024 * 1024, tree: { tokens: 4_000_000, values: 1_000_000 } };

/** Loads a test file. Never throws for what it contains; every mistake is a diagnostic. */
export function loadTests(file: string, system: Files): LoadedTests {
  const reading = new Reading(system, BOUNDS, 'the test file');
  const place: Place = { source: new SourceText(file, ''), start: 0, end: 0 };
  const tree = reading.parse(file, place);
  const table = tree && testsShape().read(tree, { ...tree.place, end: tree.place.start }, reading.report);
  const tests = (table?.get.tests ?? []).flatMap(({ value, place: at }): PolicyTest[] => {
    const { name, packet, hook, expect, rule } = value.get;
    if (!packet || !expect) return [];
    return [{ name: name ?? packet.words, words: packet.words, packet: packet.packet, hook, expect, rule, span: spanOf(at) }];
  });
  const sets = new Map((table?.get.sets ?? []).map((one) => [one.name, one.value.map((item) => item.value)]));
  const policy = (table?.get.policy ?? []).map((item) => relativeTo(file, item.value));
  return {
    tests: reading.errors > 0 ? undefined : { file, policy, sets, tests },
    diagnostics: reading.diagnostics(file),
    sources: reading.sources,
  };
}
