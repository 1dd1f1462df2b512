import { type Command, Option } from 'commander';
import {
  append,
  daemonCommand,
  flowsOption,
  type GroupContext,
  outputOption,
  tenantOption,
  text,
  type Values,
  viewOptions,
  word,
} from '../options.ts';

const HOOKS = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc', 'connect'] as const;
const STATES = ['new', 'established', 'related', 'invalid', 'untracked'] as const;

/** Commands that say what would happen to packets. */
export function addExplainCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  daemonCommand(program, 'explain')
    .summary('say which rule decides about a packet, and why')
    .description(
      'Shows every rule up to the deciding one and why it does or does not match, and for members of sets the route that put them there. The packet is PROTOCOL SOURCE[:PORT] DESTINATION[:PORT] with further words (SYN,ACK; type 3; ttl 64; length 100; in eth0; out wg0; state new; mark 1), or comes from --hex or --pcap.',
    )
    .argument('[packet...]', 'the packet in words: tcp 198.51.100.7 203.0.113.5:443 in eth0')
    .addOption(
      new Option(
        '-f, --file <file>',
        'judge by policy files or a configuration, not by what the daemon enforces; may be given again',
      ).argParser(append),
    )
    .addOption(flowsOption())
    .option('--hex <digits>', 'the packet as hexadecimal digits, from the IP header on')
    .option('--pcap <file>', 'the packets of a capture file (the first 100)')
    .option('--iif <name>', 'interface that it comes in by')
    .option('--oif <name>', 'interface that it goes out by')
    .addOption(new Option('--state <state>', 'state of its connection').choices(STATES))
    .addOption(new Option('--hook <hook>', 'only this hook').choices(HOOKS))
    .addOption(new Option('--expect <verdict>', 'exit code 2 when it is judged otherwise').choices(['allow', 'deny']))
    .addOption(tenantOption())
    .action(async (words: readonly string[], o: Values) => {
      const { explain } = await import('../commands/explain.ts');
      const options = {
        ...viewOptions(context, o),
        files: Array.isArray(o['file']) ? o['file'].map(String) : [],
        flows: Array.isArray(o['flows']) ? o['flows'].map(String) : [],
        hex: text(o, 'hex'),
        pcap: text(o, 'pcap'),
        iif: text(o, 'iif'),
        oif: text(o, 'oif'),
        state: o['state'] === undefined ? undefined : word(o, 'state', STATES),
        hook: o['hook'] === undefined ? undefined : word(o, 'hook', HOOKS),
        tenant: text(o, 'tenant'),
        expect: o['expect'] === undefined ? undefined : word(o, 'expect', ['allow', 'deny'] as const),
      };
      done(await explain(words, options, io));
    });

  program
    .command('test')
    .summary('run tests of policies')
    .description(
      'Judges the packets of test files (YAML) and compares with what they expect; runs Rego files (.rego) with opa against the compiled policy as input. Exit code 2 when a test fails.',
    )
    .argument('<file...>', 'test files, YAML or Rego')
    .addOption(new Option('-p, --policy <file>', 'the policy, above what test files name; may be given again').argParser(append))
    .option('-c, --config <file>', 'configuration whose sets the policy names')
    .addOption(tenantOption())
    .addOption(outputOption('junit'))
    .action(async (files: readonly string[], o: Values) => {
      const { test } = await import('../commands/test.ts');
      const policy = Array.isArray(o['policy']) ? o['policy'].map(String) : [];
      const output = word(o, 'output', ['text', 'json', 'junit']);
      done(await test(files, { output, palette: context.outPalette(), policy, config: text(o, 'config'), tenant: text(o, 'tenant') }, io));
    });
}
