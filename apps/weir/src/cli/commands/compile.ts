import type { Hook } from '@weir/filter/scheme';
import { needsConnectionTracking } from '../../compile/ebpf/connection-state-need.ts';
import { compileIptables } from '../../compile/iptables/index.ts';
import { DEFAULT_FIREWALL, judgement, NO_PEERS, netfilterHooks } from '../../compile/judgement/index.ts';
import { compileRules } from '../../compile/nft/policy/index.ts';
import { printTable } from '../../compile/nft/print.ts';
import { compilePf } from '../../compile/pf/index.ts';
import { describeRefusal, type Refusal } from '../../compile/refusal.ts';
import type { Config } from '../../model/config.ts';
import { CUMULUS_HOOKS } from '../../model/cumulus.ts';
import { EBPF_HOOKS, isEbpfHook } from '../../model/ebpf.ts';
import type { FlowConfig } from '../../model/flow.ts';
import type { Policy } from '../../model/policy.ts';
import type { HookRules } from '../../model/rule.ts';
import { type BeforePolicy, policyToJson } from '../../sources/policy/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { type GivenFlows, loadFlowFiles } from '../flow-files.ts';
import type { Io } from '../io.ts';
import { exitOf, knownSets, type LoadedFile, loadFiles } from '../load-any.ts';
import type { Palette } from '../render/paint.ts';
import { tenantsLeftOut } from '../tenants.ts';
import { printDiagnostics } from './check.ts';
import { type CumulusOut, cumulusText, putCumulus } from './compile-cumulus.ts';
import { printEbpf } from './compile-ebpf.ts';

/** What a policy is compiled from. */
export interface CompileInput {
  readonly policy: Policy | undefined;
  /** With its sets and its base; undefined where only policy files are given. */
  readonly config: Config | undefined;
  /** Milliseconds since the epoch; rules whose time is over are left out where packets are judged. */
  readonly now: number;
  /** For `ebpf` and `cumulus`: this hook alone. */
  readonly hook?: Hook | undefined;
  /** Flow rules as if a peer announced them. */
  readonly given?: Partial<GivenFlows>;
}

/** Makes the text of one form. */
export type Target = (input: CompileInput) => string;

export type TargetName = 'ir' | 'nft' | 'ebpf' | 'iptables' | 'ip6tables' | 'pf' | 'cumulus';

export const TARGETS: { readonly [N in TargetName]: Target } = {
  ir: printIr,
  nft: printNft,
  ebpf: (input) =>
    printEbpf(
      judged(input),
      input.config?.ebpf,
      EBPF_HOOKS.find((hook) => hook === input.hook),
    ),
  iptables: (input) => printExport(input, 'iptables', (hooks) => compileIptables(hooks, 4)),
  ip6tables: (input) => printExport(input, 'ip6tables', (hooks) => compileIptables(hooks, 6)),
  pf: (input) => printExport(input, 'pf', compilePf),
  cumulus: (input) => cumulusText(judged(input), input.config?.cumulus, input.hook),
};

export interface CompileOptions {
  readonly to: TargetName;
  /** Files of flow rules. */
  readonly flows?: readonly string[] | undefined;
  readonly palette: Palette;
  /** The configuration whose sets policy files may name. */
  readonly config: string | undefined;
  readonly tenant?: string | undefined;
  /** For `ebpf` and `cumulus`: this hook alone. */
  readonly hook?: Hook | undefined;
  /** For `cumulus`: where the file goes. */
  readonly out?: CumulusOut | undefined;
}

/** Prints what policy files, or a configuration that names some, come to. Exit code 2 when they have mistakes, 1 when one cannot be read. */
export async function compile(files: readonly string[], options: CompileOptions, io: Io): Promise<ExitCode> {
  refuseOptions(files, options);
  const now = Date.now();
  const { flows: flowFiles = [] } = options;
  const loaded = files.length === 0 ? withoutPolicy(options, now) : loadFiles(files, options.config, now, options.tenant);
  io.err(printDiagnostics(loaded, options.palette));
  const code = exitOf(loaded, files);
  if (code !== EXIT.ok) return code;
  if (!loaded.policy && flowFiles.length === 0) {
    io.err(`${files.join(', ')}: a configuration without a policy: there are no rules to compile\n${tenantsLeftOut(loaded.config)}`);
    return EXIT.finding;
  }
  io.err(tenantsLeftOut(loaded.config));
  const given = loadFlowFiles(flowFiles, loaded.config?.flowspec, flowsAt(options, loaded.config));
  if (options.to === 'nft' && loaded.policy?.rules.some((rule) => rule.hooks.some(isEbpfHook)))
    io.err('rules at xdp, tc and connect are no rules of nf_tables: --to ebpf prints their programs\n');
  const text = TARGETS[options.to]({ policy: loaded.policy, config: loaded.config, now, hook: options.hook, given });
  if (options.to === 'cumulus') await putCumulus(text, loaded.config?.cumulus, options.out ?? { directory: undefined, commit: [] }, io);
  else await io.out(text);
  return EXIT.ok;
}

/** Flow rules alone are judged with the configuration that is named. */
function withoutPolicy({ config, tenant }: CompileOptions, now: number): LoadedFile {
  const found = config === undefined ? undefined : knownSets(config, now, tenant).config;
  return { kind: 'policy', usable: true, config: found, policy: undefined, diagnostics: [], sources: new Map() };
}

/** Where flow rules of files are judged. Throws CliError where nobody says. */
function flowsAt({ to, hook, flows = [] }: CompileOptions, config: Config | undefined): FlowConfig['at'] {
  if (to !== 'ebpf' || flows.length === 0) return 'prerouting';
  const at = hook ?? config?.flowspec?.at;
  if (at === 'xdp' || at === 'tc') return at;
  throw new CliError(EXIT.usage, '--to ebpf has flow rules at xdp or tc: --hook says where');
}

/** What the form has no use for is a mistake. Throws CliError. */
function refuseOptions(files: readonly string[], { to, hook, out, flows = [] }: CompileOptions): void {
  const usage = (message: string): CliError => new CliError(EXIT.usage, message);
  if (files.length === 0 && flows.length === 0) throw usage('policy files, a configuration or --flows are needed');
  if (to === 'ir' && flows.length > 0) throw usage('--to ir is of policies: --flows is for the other forms');
  const hooks = to === 'ebpf' ? EBPF_HOOKS : to === 'cumulus' ? CUMULUS_HOOKS : [];
  if (hook !== undefined && !hooks.some((one) => one === hook)) throw usage(`--hook ${hook} is not for --to ${to}`);
  if (out?.directory !== undefined && to !== 'cumulus') throw usage('--out is for --to cumulus');
  if (out && out.commit.length > 0 && out.directory === undefined) throw usage('--commit is for --out');
}

/** B3: one line of JSON. */
function printIr(input: CompileInput): string {
  return `${JSON.stringify(compiledPolicy(input))}\n`;
}

/** The compiled policy (B3), with what is judged before its rules. */
export function compiledPolicy({ policy, config, now }: CompileInput): unknown {
  if (!policy) throw new CliError(EXIT.usage, 'there is no policy');
  return policyToJson(policy, beforePolicy(policy, config, now));
}

/** A script that `nft -f` loads to what the daemon installs, members aside. */
function printNft(input: CompileInput): string {
  const { config } = input;
  const { firewall = DEFAULT_FIREWALL, sets = [] } = config ?? {};
  // A script cannot hold what eBPF programs say.
  const hooks = judged(input);
  const { table, problems } = compileRules(netfilterHooks(hooks), sets, {
    table: firewall.table,
    programs: 'never',
    tracking: needsConnectionTracking(hooks),
    ...(config?.observe ? { logGroup: config.observe.logGroup } : {}),
  });
  if (problems.length > 0) throw new CliError(EXIT.finding, 'nf_tables cannot do what the policy says', problems.map(describeRefusal));
  return printTable(table);
}

/** The text of another firewall's language; a CliError with what it cannot say. */
function printExport(
  input: CompileInput,
  target: TargetName,
  make: (hooks: readonly HookRules[]) => { readonly text: string; readonly refusals: readonly Refusal[] },
): string {
  const { text, refusals } = make(judged(input));
  if (refusals.length > 0)
    throw new CliError(EXIT.finding, `${target} cannot do what the policy says`, [...new Set(refusals.map(describeRefusal))]);
  return text;
}

function judged({ policy, config, now, given }: CompileInput): HookRules[] {
  const { firewall = DEFAULT_FIREWALL, sets = [], bgp = NO_PEERS } = config ?? {};
  return judgement({ policy, firewall, sets, bgp, ...given }, now);
}

/** What is judged at the hooks of a policy before its rules. */
function beforePolicy(policy: Policy, config: Config | undefined, now: number): BeforePolicy[] {
  const source = { policy, firewall: config?.firewall, sets: config?.sets ?? [], bgp: config?.bgp ?? NO_PEERS };
  return judgement(source, now).flatMap(({ hook, rules }) =>
    rules
      .filter((rule) => rule.stage !== 'policy' && rule.stage !== 'default')
      .map((rule) => ({ hook, name: rule.name, action: rule.action.kind, expression: rule.text })),
  );
}
