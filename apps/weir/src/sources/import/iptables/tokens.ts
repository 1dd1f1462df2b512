import { MAX_TOKENS } from '../limits.ts';

export interface Token {
  readonly text: string;
  /** From 1. */
  readonly column: number;
  readonly quoted: boolean;
}

/** A mistake at a place of one line. Thrown and caught inside this folder. */
export class LineError extends Error {
  readonly column: number;

  constructor(column: number, message: string) {
    super(message);
    this.name = 'LineError';
    this.column = column;
  }
}

/** The words of a line as iptables-restore takes them: white space separates, `"` quotes, and in quotes `\` takes the next character as it is. */
export function tokenize(line: string): readonly Token[] {
  const out: Token[] = [];
  let i = 0;
  while (i < line.length) {
    if (isSpace(line[i])) {
      i++;
      continue;
    }
    const column = i + 1;
    let text = '';
    let quoted = false;
    let open = 0;
    for (; i < line.length; i++) {
      const c = line[i] ?? '';
      if (open > 0) {
        if (c === '\\' && i + 1 < line.length) text += line[++i] ?? '';
        else if (c === '"') open = 0;
        else text += c;
      } else if (c === '"') {
        quoted = true;
        open = i + 1;
      } else if (isSpace(c)) break;
      else text += c;
    }
    if (open > 0) throw new LineError(open, 'the quotation mark is not closed');
    if (out.length >= MAX_TOKENS) throw new LineError(column, `more than ${MAX_TOKENS} words`);
    out.push({ text, column, quoted });
  }
  return out;
}

function isSpace(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\r';
}

/** Goes through the words of a line. */
export class Words {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next word; undefined at the end. */
  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  next(): Token | undefined {
    return this.#tokens[this.#at++];
  }

  /** The value of an option; a LineError where there is none. */
  value(option: Token): Token {
    const token = this.#tokens[this.#at];
    if (!token || (!token.quoted && (token.text === '!' || /^-[-a-zA-Z]/.test(token.text)))) {
      throw new LineError(option.column, `${option.text} needs a value`);
    }
    this.#at++;
    return token;
  }

  /** A value that may be left out. */
  optional(): Token | undefined {
    const token = this.#tokens[this.#at];
    if (!token || (!token.quoted && (token.text === '!' || token.text.startsWith('-')))) return undefined;
    this.#at++;
    return token;
  }
}
