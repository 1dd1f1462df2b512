import { printProgram } from '@weir/ebpf/asm';
import { ruleLabel } from '../../compile/describe/index.ts';
import { ASSUMED_EBPF, compileEbpf, type Variant, variantsOf } from '../../compile/ebpf/index.ts';
import { describeRefusal, type Refusal } from '../../compile/refusal.ts';
import type { EbpfConfig, EbpfHook } from '../../model/ebpf.ts';
import type { CompiledHook, MapNeed } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { CliError, EXIT } from '../exit.ts';
import { escapeControl } from '../render/escape.ts';
import { rulePlace } from '../render/rule.ts';
import { plural } from '../render/units.ts';

/**
 * The programs that rules come to, one for each interface or kind of socket that the hook is attached to: their maps, and their instructions with the rule that each is for. Nothing is
 * loaded. `ebpf` is undefined where only policy files are given. Throws CliError with what a program cannot do, and where there is nothing to print.
 */
export function printEbpf(hooks: readonly HookRules[], ebpf: EbpfConfig | undefined, hook: EbpfHook | undefined): string {
  const variants = variantsOf(ebpf ?? ASSUMED_EBPF).filter((variant) => hook === undefined || variant.hook === hook);
  const refusals = new Map<string, Refusal>();
  const parts: string[] = [];
  for (const variant of variants) {
    const rules = hooks.find((one) => one.hook === variant.hook);
    if (!rules) continue;
    const result = compileEbpf(rules, { place: variant.place, known: variant.known });
    if ('compiled' in result) parts.push(printCompiled(variant, result.compiled, ebpf !== undefined));
    else for (const refusal of result.refusals) refusals.set(describeRefusal(refusal), refusal);
  }
  if (refusals.size > 0) throw new CliError(EXIT.finding, 'an eBPF program cannot do what the policy says', [...refusals.keys()]);
  if (parts.length === 0)
    throw new CliError(EXIT.finding, `no rule is judged at ${hook ?? 'xdp, tc or connect'}: there is no program to print`);
  return parts.join('\n');
}

function printCompiled({ hook, name }: Variant, { program, maps }: CompiledHook, configured: boolean): string {
  const where = hook === 'connect' ? name : `${hook} ${name}${configured ? '' : ', whose name is assumed'}`;
  const lines = [
    `# ${where}: ${plural(program.words.length / 2, 'instruction')}`,
    ...maps.map((map) => `# map[${map.symbol}]: ${printMap(map)}`),
  ];
  for (const line of printProgram(program, { describe: printOrigin })) lines.push(line);
  return lines.map((line) => `${line}\n`).join('');
}

/** `policy.yaml:3 block: ip.src in $blocked`. */
function printOrigin(rule: Rule): string {
  const place = rulePlace(rule);
  return escapeControl(`${place === undefined ? '' : `${place} `}${ruleLabel(rule)}: ${rule.text || 'everything'}`);
}

function printMap(need: MapNeed): string {
  const { type, keySize, valueSize, maxEntries } = need.shape;
  const shape = [
    type,
    ...(keySize === undefined ? [] : [`key ${keySize}`]),
    ...(valueSize === undefined ? [] : [`value ${valueSize}`]),
    `${maxEntries} entries`,
  ].join(', ');
  return need.kind === 'list' ? `IPv${need.family} members of $${need.list}: ${shape}` : `${need.kind}: ${shape}`;
}
