import { type Command, Option } from 'commander';
import type { ImportOptions } from '../commands/import.ts';
import { type GroupContext, outputOption, text, type Values, word } from '../options.ts';

/** `weir import ...`: firewalls of other systems as policy files. */
export function addImportCommands(program: Command, { io, done, errPalette }: GroupContext): void {
  const common = (o: Values): ImportOptions => ({
    file: text(o, 'file'),
    output: word(o, 'output', ['text', 'json']),
    strict: o['strict'] === true,
    palette: errPalette(),
  });
  const importing = program
    .command('import')
    .summary('turn the firewall of another system into a policy')
    .description('Prints a policy file, and on standard error what became of each item of the input.')
    .helpCommand(false);

  command(importing, 'iptables-save')
    .summary('import what iptables-save printed')
    .description(
      'Filter rules of the tables filter, raw, mangle and security become policy rules; chains are unfolded into the rules that call them. With --ip6tables both families give one policy.',
    )
    .argument('<file>', 'what iptables-save printed; - is standard input')
    .addOption(new Option('--family <family>', 'address family of the file').choices(['4', '6']).default('4'))
    .option('--ip6tables <file>', 'what ip6tables-save printed on the same host')
    .action(async (file: string, o: Values) => {
      const { importIptables } = await import('../commands/import.ts');
      const family = word(o, 'family', ['4', '6']) === '6' ? 6 : 4;
      done(await importIptables(file, { ...common(o), family, ip6tables: text(o, 'ip6tables') }, io));
    });

  command(importing, 'nft')
    .summary('import an nf_tables ruleset')
    .description('Takes what `nft -j list ruleset` prints: base chains of the filter hooks, the chains that they call, sets and maps.')
    .argument('<file>', 'the ruleset as JSON; - is standard input')
    .action(async (file: string, o: Values) => {
      const { importNft } = await import('../commands/import.ts');
      done(await importNft(file, common(o), io));
    });

  command(importing, 'networkpolicy')
    .summary('import Kubernetes and Cilium network policies')
    .description(
      'Takes NetworkPolicy, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy manifests. Selectors become named sets that are to be filled; rules on layer 7 are not translated.',
    )
    .argument('<file...>', 'YAML or JSON manifests; - is standard input')
    .action(async (files: readonly string[], o: Values) => {
      const { importNetworkPolicies } = await import('../commands/import.ts');
      done(await importNetworkPolicies(files, common(o), io));
    });
}

function command(importing: Command, name: string): Command {
  return importing
    .command(name)
    .option('-f, --file <file>', 'write the policy to this file instead of standard output')
    .option('--strict', 'exit code 2 unless every item is translated as it is')
    .addOption(outputOption());
}
