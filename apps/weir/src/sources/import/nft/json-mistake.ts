const SPACE = /[ \t\n\r]*/y;
const VALUE = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

/** The offset of the first thing in a text that JSON (RFC 8259) does not have there; the end of the text when it is cut short. Linear in the text. */
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
      VALUE.lastIndex = at;
      const isKey: boolean = next === 'key' || next === 'first-key';
      if ((isKey && c !== '"') || !VALUE.test(text)) return at;
      at = VALUE.lastIndex;
      next = isKey ? 'colon' : 'comma';
    }
  }
}
