import { SourceText } from '../../yaml/source-text.ts';
import { type ConfigNode, parseTree, type Report } from '../../yaml/tree.ts';
import { MAX_ITEMS } from '../limits.ts';
import { type Entry, makeEntry, note } from '../report.ts';
import { at, textOf } from './view.ts';

const BOUNDS = { tokens: 4_000_000, values: 1_000_000 };

/** One manifest of a file. */
export interface Manifest {
  readonly node: ConfigNode;
  /** An entry for a part of it, at its line. */
  entry(part: ConfigNode, where: string, text: string): Entry;
}

export interface Documents {
  readonly manifests: readonly Manifest[];
  /** What is wrong with the text. */
  readonly problems: readonly Entry[];
}

/** The manifests of a YAML (or JSON) file, those of lists (`kind: List`) among them. Never throws. */
export function readDocuments(text: string, file: string): Documents {
  const manifests: Manifest[] = [];
  const problems: Entry[] = [];
  let documents = 0;
  for (const { body, line } of splitDocuments(text)) {
    const source = new SourceText(file, body);
    const place = (start: number, end: number): { line: number; column: number } => {
      const span = source.span(start, end);
      return { line: span.line + line, column: span.column };
    };
    const report: Report = (_code, where, message) => {
      if (problems.length >= 100) return;
      const found = place(where.start, where.end);
      const entry = makeEntry(file, found.line, source.line(found.line - line));
      entry.column = found.column;
      note(entry, message, 'error');
      problems.push(entry);
    };
    const root = /\S/.test(body.replace(/^\s*(#.*)?$/gm, '')) ? parseTree(source, report, BOUNDS) : undefined;
    if (!root) continue;
    documents++;
    const entry: Manifest['entry'] = (part, where, shown) =>
      makeEntry(file, place(part.place.start, part.place.end).line, shown, { where });
    for (const node of unlist(root)) {
      if (manifests.length < MAX_ITEMS) manifests.push({ node, entry });
    }
  }
  if (documents + problems.length === 0) {
    const entry = makeEntry(file, 1, '', { where: 'the file' });
    note(entry, 'there is no manifest in it', 'error');
    problems.push(entry);
  }
  return { manifests, problems };
}

function unlist(root: ConfigNode): readonly ConfigNode[] {
  const kind = textOf(at(root, 'kind'));
  const list = at(root, 'items');
  return kind?.endsWith('List') === true && list?.kind === 'list' ? list.items : [root];
}

/** Documents between lines of `---`, each with the number of lines before it. */
function splitDocuments(text: string): readonly { readonly body: string; readonly line: number }[] {
  const out: { body: string; line: number }[] = [];
  let body: string[] = [];
  let first = 0;
  const lines = text.split('\n');
  lines.forEach((line, i) => {
    const marker = /^---(\s|$)/.test(line);
    if (marker || /^\.\.\.(\s|$)/.test(line)) {
      out.push({ body: body.join('\n'), line: first });
      // What stands on the marker's line begins the document.
      body = [marker ? line.replace(/^---/, '   ') : ''];
      first = i;
    } else body.push(line);
  });
  out.push({ body: body.join('\n'), line: first });
  return out.slice(0, MAX_ITEMS);
}
