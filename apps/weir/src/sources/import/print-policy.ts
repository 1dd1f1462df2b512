import type { ImportedPolicy, ImportedRule } from './assemble.ts';
import { type Entry, itemText, place, printable } from './report.ts';

/** The policy as a YAML file. Above each rule stands what it came of. */
export function printPolicy(policy: ImportedPolicy, entries: readonly Entry[], sources: readonly string[]): string {
  const out: string[] = [`# Imported by weir from ${sources.map(printable).join(', ')}.`];
  for (const { hook, family } of policy.unjudged) {
    out.push(`# Hook ${hook}: the input says nothing about IPv${family}, so the first rule lets it through.`);
  }
  const lost = entries.filter((e) => e.status === 'unsupported');
  if (lost.length > 0) out.push(`# Not translated (${lost.length}):`);
  for (const entry of lost.slice(0, MAX_LOST)) out.push(`#   ${place(entry)} ${itemText(entry)}: ${entry.reasons.join('; ')}`);
  if (lost.length > MAX_LOST) out.push(`#   and ${lost.length - MAX_LOST} more`);
  out.push(`default_action: ${policy.defaultAction}`);
  printLists(policy, out);
  out.push(policy.rules.length === 0 ? 'rules: []' : 'rules:');
  for (const rule of policy.rules) printRule(rule, out);
  return `${out.join('\n')}\n`;
}

function printLists(policy: ImportedPolicy, out: string[]): void {
  if (policy.lists.size > 0) {
    out.push('lists:');
    for (const [name, members] of policy.lists) {
      if (members.length <= 8) out.push(`  ${name}: ${flow(members)}`);
      else out.push(`  ${name}:`, ...members.map((m) => `    - ${scalar(m)}`));
    }
  }
  if (policy.toFill.length > 0) {
    out.push('# Sets to be filled, by routes (sets: of the configuration) or as lists: here:');
    for (const set of policy.toFill) out.push(`#   $${set.name}: ${printable(set.purpose)}`);
  }
}

function printRule(rule: ImportedRule, out: string[]): void {
  const shown = rule.entries.slice(0, MAX_SHOWN);
  for (const entry of shown) {
    const loss = entry.status === 'approximated' ? ` (approximated: ${entry.reasons.join('; ')})` : '';
    out.push(`  # ${place(entry)} ${itemText(entry)}${loss}`);
  }
  if (rule.entries.length > shown.length) out.push(`  # and ${rule.entries.length - shown.length} more`);
  const fields: [string, string | number | readonly string[] | undefined][] = [
    ['name', rule.name],
    ['ref', rule.ref],
    ['description', rule.description],
    ['hook', rule.hook],
    ['priority', rule.priority],
    ...Object.entries(rule.match),
    ...Object.entries(rule.action),
    ['skip_to', rule.skipTo],
  ];
  let first = true;
  for (const [key, value] of fields) {
    if (value === undefined) continue;
    const text = typeof value === 'number' ? `${value}` : typeof value === 'string' ? scalar(value) : flow(value);
    out.push(`  ${first ? '- ' : '  '}${key}: ${key === 'mark' && typeof value === 'number' ? `0x${value.toString(16)}` : text}`);
    first = false;
  }
}

const MAX_SHOWN = 8;
const MAX_LOST = 200;

function flow(values: readonly string[]): string {
  return `[${values.map(scalar).join(', ')}]`;
}

/** A plain scalar where YAML reads it as the same text, else a quoted one. */
function scalar(text: string): string {
  if (/^[a-z][a-z0-9_.-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n|nan|inf)$/.test(text)) return text;
  if (/^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/.test(text)) return text;
  if (/^(0|[1-9]\d{0,4})(-[1-9]\d{0,4})?$/.test(text)) return text;
  if (!/['\p{Cc}]/u.test(text) && /["\\]/.test(text)) return `'${text}'`;
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]|[\ud800-\udfff]/g, (c) =>
    /[\ud800-\udfff]/.test(c) ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
