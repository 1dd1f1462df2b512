import type { JsonPath, JsonStep } from '../../model/feed.ts';

/** Steps of a path. */
export const MOST_STEPS = 16;
const STEP = /^(?:\.?\[(?:\*|)\]|\.\*|\[(\d{1,9})\]|\.?\[("(?:[^"\\]|\\.)*")\]|\.?([A-Za-z_$@][\w$@-]*))/;

/**
 * `prefixes[*].ip_prefix`, `.data[].cidr`, `$.values[*].properties["address prefixes"][]`, `[*]`: a name or `["name"]` is a member, `[N]` an element, counted from 0, `[]`, `[*]` and `.*` are each
 * of them. A `$` at the beginning is the document. Undefined for what is no path.
 */
export function parseJsonPath(text: string): JsonPath | undefined {
  let rest = text.startsWith('$') ? text.slice(1) : text;
  if (rest === '.') rest = '';
  if (text === '') return undefined;
  const steps: JsonStep[] = [];
  while (rest !== '') {
    const match = STEP.exec(rest);
    if (!match || steps.length === MOST_STEPS) return undefined;
    const [whole, index, quoted, name] = match;
    // Two names need something between them.
    if (name !== undefined && steps.length > 0 && !whole.startsWith('.')) return undefined;
    const key = name ?? (quoted === undefined ? undefined : unquote(quoted));
    if (quoted !== undefined && key === undefined) return undefined;
    steps.push(key !== undefined ? { kind: 'key', key } : index !== undefined ? { kind: 'index', index: Number(index) } : { kind: 'any' });
    rest = rest.slice(whole.length);
  }
  return steps;
}

/** The text that `parseJsonPath` reads as this. */
export function printJsonPath(path: JsonPath): string {
  const steps = path.map((step) => {
    if (step.kind === 'any') return '[*]';
    if (step.kind === 'index') return `[${step.index}]`;
    return /^[A-Za-z_][\w-]*$/.test(step.key) ? `.${step.key}` : `[${JSON.stringify(step.key)}]`;
  });
  return `$${steps.join('')}`;
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
