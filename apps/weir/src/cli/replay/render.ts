import { describePacket, type Packet } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { ruleLabel } from '../../compile/describe/index.ts';
import type { Rule } from '../../model/rule.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import type { Judged, Outcome } from './outcome.ts';

/** One packet of a capture and what was said of it. */
export interface Replayed {
  /** From 1, of all packets of the capture. */
  readonly number: number;
  /** Microseconds since 1970; 0 where the capture has none. */
  readonly time: number;
  readonly captured: Packet;
  readonly outcome: Outcome;
  readonly why: readonly string[];
  /** What the interpreter says, where that is something else. */
  readonly difference: Difference | undefined;
}

export interface Difference {
  readonly interpreter: Outcome;
  /** What came to the hook, from the IP header on. */
  readonly bytes: Uint8Array;
}

export function renderText({ number, time, captured, outcome, why, difference }: Replayed, palette: Palette): string {
  const reason = why.length > 0 ? `: ${escapeControl(why.join(', '))}` : '';
  const lines = [`${number} ${printTime(time) ?? '-'} ${describePacket(captured)}: ${printOutcome(outcome, palette)}${reason}`];
  if (difference) {
    lines.push(
      `  ${palette.bold('DIFFERENCE')}: the kernel says ${printOutcome(outcome, palette)}, the interpreter ${printOutcome(difference.interpreter, palette)}`,
    );
    lines.push(`  ${printHex(difference.bytes)}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

export function renderJson({ number, time, captured, outcome, why, difference }: Replayed): string {
  const at = printTime(time);
  return `${JSON.stringify({
    format_version: 1,
    number,
    ...(at === undefined ? {} : { time: at }),
    packet: describePacket(captured),
    ...outcomeJson(outcome),
    ...(outcome.kind === 'judged' ? { why } : {}),
    ...(difference ? { difference: { interpreter: outcomeJson(difference.interpreter), hex: printHex(difference.bytes) } } : {}),
  })}\n`;
}

/** `web#20 (web-1)`: the label, and the ref where it is something else. */
export function printRuleName(rule: Rule): string {
  const label = ruleLabel(rule);
  return escapeControl(rule.ref === rule.name ? label : `${label} (${rule.ref})`);
}

function printOutcome(outcome: Outcome, palette: Palette): string {
  if (outcome.kind === 'not-judged') return palette.dim(`not judged: ${outcome.reason}`);
  const verdict = outcome.verdict.toUpperCase();
  const by = outcome.rule ? ` BY ${printRuleName(outcome.rule)}` : ', no rule decides';
  return `${outcome.verdict === 'allow' ? palette.green(verdict) : palette.red(verdict)}${by}`;
}

function outcomeJson(outcome: Outcome): Record<string, unknown> {
  if (outcome.kind === 'not-judged') return { verdict: 'not-judged', reason: outcome.reason };
  return { verdict: outcome.verdict, ...ruleJson(outcome), ...(outcome.state === undefined ? {} : { state: outcome.state }) };
}

function ruleJson({ rule }: Judged): Record<string, unknown> {
  return rule ? { rule: { ref: rule.ref, name: rule.name, label: ruleLabel(rule), stage: rule.stage } } : {};
}

/** `2026-01-01T00:00:00.000001Z`; undefined for 0, and for times that no date has. */
function printTime(microseconds: number): string | undefined {
  const milliseconds = Math.floor(microseconds / 1000);
  if (microseconds === 0 || Math.abs(milliseconds) > MOST_TIME) return undefined;
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(Math.floor(microseconds - milliseconds * 1000)).padStart(3, '0')}Z`;
}

const MOST_TIME = 8.64e15;
