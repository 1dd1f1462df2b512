import {
  type FlowAction,
  flowOrderKey,
  flowTreatment,
  isMalformedAction,
  parseFlow,
  parseFlowAction,
  printFlowProblem,
} from '@weir/bgp/flowspec';
import type { ActiveFlow } from '../../model/flow.ts';
import type { SourceSpan } from '../../model/provenance.ts';

/** Flow rules of a file, in the order in which they are judged, and what is wrong with it: `FILE:LINE: MESSAGE` with the text. */
export interface FlowFile {
  readonly flows: readonly ActiveFlow[];
  readonly mistakes: readonly string[];
}

/** Mistakes that are told of. */
const MOST_MISTAKES = 20;
/** A rule to its brace, and the rest of that line. */
const RULE = /([^{}\s][^{}]*\{[^{}]*\})([^\n]*)/y;
const BLANK = /\s*/y;

/**
 * Rules one behind the other: the text of each as BIRD writes it, which may go over several lines, and on the line of its `}` what is asked for, as `weir flow show` prints it:
 *
 *     flow4 { dst 203.0.113.7/32; proto 17; sport 123; } discard
 *     flow6 { dst 2001:db8::/48; } rate-packets 100, sample continue
 *
 * Nothing behind it accepts. `#` begins a comment.
 */
export function readFlowFile(text: string, file: string): FlowFile {
  // Comments become blanks, so that places stay what they are.
  const plain = text.replace(/#[^\n]*/g, (comment) => ' '.repeat(comment.length));
  const flows = new Map<string, ActiveFlow>();
  const mistakes: string[] = [];
  let [at, line, counted] = [0, 1, 0];
  const skip = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(plain);
    at += found?.[0].length ?? 0;
    return found;
  };
  for (skip(BLANK); at < plain.length && mistakes.length < MOST_MISTAKES; skip(BLANK)) {
    line += newlines(plain, counted, at);
    counted = at;
    const found = skip(RULE);
    if (!found) {
      mistakes.push(`${file}:${line}: a rule is flow4 { ... } or flow6 { ... }`);
      break;
    }
    const [, rule = '', rest = ''] = found;
    const mistake = take(rule, rest, { file, line, column: counted - plain.lastIndexOf('\n', counted - 1), length: rule.length }, flows);
    if (mistake !== undefined) mistakes.push(`${file}:${line}: ${mistake}`);
  }
  return { flows: [...flows.values()].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0)), mistakes };
}

/** Adds a rule; what is wrong with it otherwise. */
function take(text: string, rest: string, span: SourceSpan, flows: Map<string, ActiveFlow>): string | undefined {
  const parsed = parseFlow(text);
  if (!parsed.ok) return printFlowProblem(text, parsed.problem);
  const { rule } = parsed;
  const actions = readActions(rest);
  if (typeof actions === 'string') return `not an action of a flow rule: ${actions}`;
  const before = flows.get(rule.key)?.provenance;
  if (before?.kind === 'file') return `the rule stands in line ${before.span.line} already`;
  flows.set(rule.key, {
    rule,
    order: flowOrderKey(rule),
    treatment: flowTreatment(actions, undefined),
    provenance: { kind: 'file', span },
  });
  return undefined;
}

/** The actions, or the text of the one that is none. */
function readActions(text: string): readonly FlowAction[] | string {
  const words = text
    .replace(/;\s*$/, '')
    .split(',')
    .map((word) => word.trim());
  if (words.length === 1 && words[0] === '') return [];
  const actions: FlowAction[] = [];
  for (const word of words) {
    const action = parseFlowAction(word);
    if (!action || isMalformedAction(action)) return word;
    actions.push(action);
  }
  return actions;
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let i = text.indexOf('\n', from); i >= 0 && i < to; i = text.indexOf('\n', i + 1)) count++;
  return count;
}
