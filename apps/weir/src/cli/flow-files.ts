import { unenforceable } from '../compile/flows/index.ts';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig } from '../model/flow.ts';
import { systemFiles } from '../sources/config/index.ts';
import { readFlowFile } from '../sources/flows/index.ts';
import { CliError, EXIT } from './exit.ts';

/** Octets of a file of flow rules. */
const MOST_OCTETS = 64 * 1024 * 1024;
/** Rules of all files. */
const MOST_FLOWS = 50_000;

/** Flow rules of files as if a peer announced them, and what they are judged with. */
export interface GivenFlows {
  readonly flows: readonly ActiveFlow[];
  readonly flowspec: FlowConfig;
}

/** Nothing where no file is given. `at` is where they are to be enforced. Throws CliError where a file cannot be read, has mistakes, or asks for what cannot be done there. */
export function loadFlowFiles(
  files: readonly string[],
  config: FlowConfig | undefined,
  at: FlowConfig['at'],
): GivenFlows | Record<string, never> {
  const [first] = files;
  if (first === undefined) return {};
  const read = files.map((file) => {
    const found = systemFiles.read(file, MOST_OCTETS);
    if ('error' in found) throw new CliError(EXIT.error, `cannot read ${file}: ${found.error}`);
    if (found.bytes.length > MOST_OCTETS) throw new CliError(EXIT.finding, `${file} is larger than ${MOST_OCTETS} octets`);
    return readFlowFile(new TextDecoder().decode(found.bytes), file);
  });
  const mistakes = read.flatMap((one) => one.mistakes);
  if (mistakes.length > 0) throw new CliError(EXIT.finding, 'flow rules have mistakes', mistakes);
  const flows = [...new Map(read.flatMap((one) => one.flows).map((flow) => [flow.rule.key, flow])).values()];
  if (flows.length > MOST_FLOWS) throw new CliError(EXIT.finding, `${flows.length} flow rules: ${MOST_FLOWS} at most are read`);
  const flowspec = { ...(config ?? withoutGuards(first)), at };
  const refused = flows.flatMap((flow) => {
    const reason = unenforceable(flow, flowspec);
    const { provenance: why } = flow;
    const place = why.kind === 'file' ? `${why.span.file}:${why.span.line}` : '';
    return reason === undefined ? [] : [`${place}: ${reason}`];
  });
  if (refused.length > 0) throw new CliError(EXIT.finding, `flow rules cannot be enforced at ${at} as they are meant`, refused);
  return { flows: flows.sort((a, b) => (a.order < b.order ? -1 : 1)), flowspec };
}

/** What `flowspec:` comes to where it is empty. */
function withoutGuards(file: string): FlowConfig {
  const { guard: _, ...defaults } = DEFAULT_FLOWSPEC;
  const span = { file, line: 1, column: 1, length: 1 };
  return { ...defaults, protected: [], protectedFlows: [], guards: [], redirects: [], announce: undefined, span };
}
