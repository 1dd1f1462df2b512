// Policy files: whatever the text, loading gives a policy or mistakes, never both, never throws, and a policy is the same after it has been JSON. JSON that is no
// compiled policy is refused with its own error.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Files, printDiagnostic, SourceText } from '../apps/weir/src/sources/config/index.ts';
import { loadPolicy, PolicyFormatError, policyFromJson, policyToJson } from '../apps/weir/src/sources/policy/index.ts';
import { MAX_VALUES } from '../apps/weir/src/sources/yaml/bounds.ts';
import { readPlainTree } from '../apps/weir/src/sources/yaml/plain-tree.ts';
import { spanOf } from '../apps/weir/src/sources/yaml/source-text.ts';
import { type ConfigNode, parseAnyTree } from '../apps/weir/src/sources/yaml/tree.ts';
import type { FuzzTarget } from './fuzz.ts';

const examples = join(import.meta.dirname, '../examples/policy');

const OTHERS = [
  'include: [a.yaml, "*.yaml"]\nmode: audit\nlists: { a: [192.0.2.1/24, "::/0"], b: [80, 1-9], c: [eth0, "w*"] }\nrules:\n  - &r { name: x, source_cidrs: [$a, 10.0.0.0/8], destination_ports: [$b, 7-9], action: rate_limit, rate_limit_bps: 9 }\n  - *r\n',
  'rules:\n  - name: a\n    expression: |\n      tcp.flags & 0x12 and ip.src in $a\n        or not udp.payload matches "a+"\n    action: skip\n    skip_to: b\n  - name: b\n    hook: [forward, output]\n    out_interface: $c\n    until: 2026-01-01T00:00:00Z\n    action: reject\n    reject_with: tcp-reset\n    mark: 0x10\n',
  'rules:\n  - name: a\n    expression: |-\n      ip.ttl < 9\n        and ct.new\n\n    action: deny\n  - name: b\n    description: >\n      two\n      lines\n    expression: >-\n      ip.ttl == 1\n      or ip.ttl == 2\n    action: log',
  "rules: [{ name: a, expression: 'iif.name == \"it''s\" ^^ ip.ttl in {1 3..9}', action: mark, mark: 7, log: true, enabled: false }]\n",
  'default_action: allow\nrules:\n  - name: a\n    expression: "ip.src in $set && bit_slice(udp, 0, \\u0038) == 1 # no"\n    action: deny\n    source_cidrs:\n      - 192.0.2.7/24\n    state: [new, related]\n',
];

/** A tree as diagnostics see it; where a block collection ends is not told by all readers alike. */
function seen(node: ConfigNode): unknown {
  const { line, column, length } = spanOf(node.place);
  const block = node.kind !== 'scalar' && !'[{'.includes(node.place.source.text[node.place.start] ?? '');
  const at = [line, column, block ? 0 : length];
  if (node.kind === 'scalar') return [at, Object.is(node.value, -0) ? 0 : node.value, node.text];
  return [at, node.kind === 'list' ? node.items.map(seen) : node.entries.map((e) => [e.key, spanOf(e.keyPlace), seen(e.value)])];
}

/** Two files of the same text, which may include each other. */
const FILES = (input: Uint8Array): Files => ({
  read: (path, max) =>
    path === 'policy.yaml' || path === 'a.yaml' ? { bytes: input.subarray(0, max + 1), mode: 0o100600 } : { error: 'no such file' },
  names: () => ['a.yaml', 'b.txt'],
});
const SETS = new Map([['set', 'Ip' as const]]);

/** The compiled form of a file that is a policy. */
function compiled(input: Uint8Array): readonly Uint8Array[] {
  const { policy } = loadPolicy(['policy.yaml'], FILES(input), { sets: SETS, now: 0 });
  return policy ? [Buffer.from(JSON.stringify(policyToJson(policy)))] : [];
}

function readCompiled(text: string): void {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return;
    throw error;
  }
  try {
    policyFromJson(json);
  } catch (error) {
    if (!(error instanceof PolicyFormatError)) throw error;
  }
}

function compareTrees(text: string): void {
  const bounds = { tokens: MAX_VALUES, values: MAX_VALUES };
  const plain = readPlainTree(new SourceText('x', text), bounds);
  if (!plain) return;
  let mistakes = 0;
  const whole = parseAnyTree(new SourceText('x', text), () => void mistakes++, bounds);
  if (!whole || mistakes > 0) throw new Error('the plain reader reads what is a mistake');
  if (!isDeepStrictEqual(seen(plain), seen(whole))) throw new Error('the plain reader reads another tree');
}

export const target: FuzzTarget = {
  name: 'policy',
  corpus() {
    const files = existsSync(examples)
      ? readdirSync(examples)
          .filter((name) => name.endsWith('.yaml'))
          .map((name) => readFileSync(join(examples, name)))
      : [];
    const texts = [...files, ...OTHERS.map((text) => Buffer.from(text))];
    return [...texts, ...texts.flatMap(compiled)];
  },
  run(input) {
    const { policy, diagnostics, sources } = loadPolicy(['policy.yaml'], FILES(input), { sets: SETS, now: 0 });
    const errors = diagnostics.filter((d) => d.severity === 'error');
    if ((policy === undefined) !== errors.length > 0) throw new Error(`${policy ? 'a policy' : 'none'} with ${errors.length} errors`);
    for (const d of diagnostics) {
      if (d.span.line < 1 || d.span.column < 1 || d.span.length < 1) throw new Error(`no place: ${JSON.stringify(d)}`);
      if (/[^\n\P{Cc}]/u.test(printDiagnostic(d, sources))) throw new Error(`control characters reach the terminal: ${JSON.stringify(d)}`);
    }
    const text = sources.get('policy.yaml')?.text;
    if (text !== undefined) {
      compareTrees(text);
      readCompiled(text);
    }
    if (policy && !isDeepStrictEqual(policyFromJson(JSON.parse(JSON.stringify(policyToJson(policy)))), policy)) {
      throw new Error('a policy that is another after it has been JSON');
    }
  },
};
