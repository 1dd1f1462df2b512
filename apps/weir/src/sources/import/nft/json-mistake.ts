const SPACE = /[ \t\n\r]*/y;
const WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The offset of the first thing in a text that JSON does not have there; the end of the text when it is cut short. Linear in the text. */
export function jsonMistake(text: string): number {
  /** Brackets that are open. */
  const open: string[] = [];
  /** What may stand next: a value, a key, the colon after a key, a comma or the end of what is open. */
  let next: 'value' | 'first-value' | 'key' | 'first-key' | 'colon' | 'comma' = 'value';
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
    const c = text[at];
    if (c === undefined) return at;
    const closes: boolean =
      (c === ']' && open.at(-1) === '[' && next !== 'value') || (c === '}' && open.at(-1) === '{' && next !== 'key' && next !== 'value');
    if (closes && (next === 'comma' || next.startsWith('first'))) {
      open.pop();
      next = 'comma';
      at++;
    } else if (next === 'colon' || next === 'comma') {
      if (c !== (next === 'colon' ? ':' : ',') || open.length === 0) return at;
      next = next === 'colon' || open.at(-1) === '[' ? 'value' : 'key';
      at++;
    } else if ((next === 'value' || next === 'first-value') && (c === '[' || c === '{')) {
      open.push(c);
      next = c === '[' ? 'first-value' : 'first-key';
      at++;
    } else {
      const isKey: boolean = next === 'key' || next === 'first-key';
      const end: number = c === '"' ? stringEnd(text, at) : isKey ? -1 : wordEnd(text, at);
      if (end < 0) return at;
      at = end;
      next = isKey ? 'colon' : 'comma';
    }
  }
}

/** After the closing mark of a string that begins at `at`; -1 when it is none. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) return i + 1;
    if (code < 0x20) return -1;
    if (code !== 0x5c) continue;
    ESCAPE.lastIndex = i;
    if (!ESCAPE.test(text)) return -1;
    i = ESCAPE.lastIndex - 1;
  }
  return -1;
}

function wordEnd(text: string, at: number): number {
  WORD.lastIndex = at;
  return WORD.test(text) ? WORD.lastIndex : -1;
}
