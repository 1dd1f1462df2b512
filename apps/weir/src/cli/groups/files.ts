import { type Command, Option } from 'commander';
import { CUMULUS_HOOKS } from '../../model/cumulus.ts';
import { EBPF_HOOKS } from '../../model/ebpf.ts';
import { configOption, count, flowsOption, type GroupContext, outputOption, tenantOption, text, type Values, word } from '../options.ts';
import { DEFAULT_CONFIG } from '../paths.ts';

const FORMS = ['ir', 'nft', 'ebpf', 'iptables', 'ip6tables', 'pf', 'cumulus'] as const;
const HOOKS = [...EBPF_HOOKS, ...CUMULUS_HOOKS];

/** Commands that work on files of configuration. */
export function addFileCommands(program: Command, context: GroupContext): void {
  const { done, io, errPalette } = context;
  program
    .command('check')
    .summary('check configuration and policy files')
    .description('Reports every mistake of each file in one pass, with its place. Exit code 2 when there is one.')
    .argument('<file...>', 'files to check, each by itself; - is standard input')
    .addOption(setsOption())
    .addOption(new Option('--tenant <name>', 'the tenant of that configuration whose sets they are'))
    .addOption(outputOption('sarif'))
    .action(async (files: readonly string[], o: Values) => {
      const { check } = await import('../commands/check.ts');
      done(
        await check(
          files,
          {
            output: word(o, 'output', ['text', 'json', 'sarif']),
            palette: errPalette(),
            config: text(o, 'config'),
            tenant: text(o, 'tenant'),
          },
          io,
        ),
      );
    });

  program
    .command('analyze')
    .summary('find rules that do nothing, or not what they seem to')
    .description(
      'Finds rules of a policy that are shadowed, never match, conflict, are redundant or could be one, and prefixes that aggregate, each with a packet that proves it. Takes policy files, which together are one policy, or a configuration that names some. Exit code 2 when more than the threshold are shadowed, never match or conflict.',
    )
    .argument('<file...>', 'policy files, or a configuration; - is standard input')
    .addOption(
      new Option('--threshold <count>', 'shadowed, never matching and conflicting rules that are still fine')
        .default(0)
        .argParser((value) => (value === '0' ? 0 : count(value))),
    )
    .addOption(setsOption())
    .addOption(tenantOption())
    .addOption(outputOption('sarif'))
    .action(async (files: readonly string[], o: Values) => {
      const { analyze } = await import('../commands/analyze.ts');
      const threshold = typeof o['threshold'] === 'number' ? o['threshold'] : 0;
      const output = word(o, 'output', ['text', 'json', 'sarif'] as const);
      done(
        await analyze(
          files,
          { output, palette: context.outPalette(), config: text(o, 'config'), tenant: text(o, 'tenant'), threshold },
          io,
        ),
      );
    });

  program
    .command('compile')
    .summary('print what a policy comes to')
    .description(
      'Prints a policy in its compiled form. Takes policy files, which together are one policy, or a configuration that names some; with --flows also files of flow rules, which may stand alone. Changes nothing, but for what --out and --commit are given.',
    )
    .argument('[file...]', 'policy files, or a configuration; - is standard input')
    .addOption(flowsOption())
    .addOption(
      new Option(
        '--to <form>',
        'the form: ir is JSON with each rule as one expression, nft a script for nft -f, ebpf the programs of the hooks xdp, tc and connect with the rule that each instruction is for, iptables and ip6tables are for iptables-restore and ip6tables-restore, pf is an OpenBSD pf.conf, cumulus an ACL file of Cumulus Linux',
      )
        .choices(FORMS)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--hook <hook>',
        'with --to ebpf and --to cumulus: one hook alone; with --to ebpf where flow rules are judged (xdp, tc)',
      ).choices(HOOKS),
    )
    .addOption(new Option('--out <directory>', 'with --to cumulus: writes the file there, instead of printing it'))
    .addOption(new Option('--commit <command>', 'with --out: what is run, without a shell, when the file has changed: cl-acltool -i'))
    .addOption(setsOption())
    .addOption(tenantOption())
    .action(async (files: readonly string[], o: Values) => {
      const { compile } = await import('../commands/compile.ts');
      done(
        await compile(
          files,
          {
            to: word(o, 'to', FORMS),
            flows: Array.isArray(o['flows']) ? o['flows'].map(String) : [],
            palette: errPalette(),
            config: text(o, 'config'),
            tenant: text(o, 'tenant'),
            hook: HOOKS.find((hook) => hook === o['hook']),
            out: { directory: text(o, 'out'), commit: (text(o, 'commit') ?? '').split(/\s+/).filter((one) => one !== '') },
          },
          io,
        ),
      );
    });

  program
    .command('setup')
    .summary('print the nft text that a configuration needs')
    .description("Prints what makes the user's sets that a configuration fills, and the table that Weir will own. Changes nothing.")
    .addOption(configOption())
    .addOption(tenantOption())
    .option('--print', 'print to standard output (the only action)')
    .addOption(outputOption())
    .action(async (o: Values) => {
      const { setup } = await import('../commands/setup.ts');
      const options = {
        config: text(o, 'config') ?? DEFAULT_CONFIG,
        output: word(o, 'output', ['text', 'json'] as const),
        palette: errPalette(),
        tenant: text(o, 'tenant'),
      };
      done(await setup(options, io));
    });
}

/** The configuration whose sets policy files may name as `$name`. */
function setsOption(): Option {
  return new Option('-c, --config <file>', 'configuration whose sets policy files may name');
}
