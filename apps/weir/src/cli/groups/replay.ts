import { type Command, Option } from 'commander';
import { count, type GroupContext, outputOption, tenantOption, text, type Values, word } from '../options.ts';

const HOOKS = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc'] as const;
const ENGINES = ['interpreter', 'nft', 'ebpf'] as const;
const STATES = ['new', 'established', 'related', 'invalid', 'untracked'] as const;

/** `weir replay`: captures judged by policies. */
export function addReplayCommand(program: Command, { io, done, outPalette, errPalette }: GroupContext): void {
  program
    .command('replay')
    .summary('judge the packets of a capture')
    .description(
      'Judges every packet of a capture (pcap, pcapng) by policy files or a configuration: one line a packet with the verdict, the rule and the reason, and a summary on standard error. With --engine nft the packets really go through the kernel, in a network namespace of their own; with --engine ebpf the kernel runs a program of the rules over each. Exit code 2 when --compare finds a difference or the capture is broken.',
    )
    .argument('<policy...>', 'policy files, or a configuration')
    .requiredOption('--pcap <file>', 'the capture; - is standard input')
    .addOption(
      new Option('--hook <hook>', 'where the packets are judged: input unless the policy has rules at one other hook only').choices(HOOKS),
    )
    .option('--iif <name>', 'interface that packets come in by (default: replay-in)')
    .option('--oif <name>', 'interface that packets go out by (default: replay-out)')
    .addOption(
      new Option(
        '--state <state>',
        'state of the connection of every packet, for the interpreter and eBPF: new unless told; with nft connection tracking says it',
      ).choices(STATES),
    )
    .addOption(new Option('--engine <engine>', 'what judges').choices(ENGINES).default('interpreter'))
    .option('--live', 'with --engine ebpf: attach the program to an interface of a network namespace of its own and send the packets to it')
    .option('--compare', 'judge by the kernel (nft unless --engine says otherwise) and by the interpreter, and show where they differ')
    .option('--limit <count>', 'look at so many packets', count)
    .option('-c, --config <file>', 'configuration whose sets the policy names')
    .addOption(tenantOption())
    .addOption(outputOption())
    .action(async (files: readonly string[], o: Values) => {
      const { replay } = await import('../commands/replay.ts');
      const limit = o['limit'];
      const options = {
        pcap: text(o, 'pcap') ?? '-',
        hook: o['hook'] === undefined ? undefined : word(o, 'hook', HOOKS),
        iif: text(o, 'iif'),
        oif: text(o, 'oif'),
        state: o['state'] === undefined ? undefined : word(o, 'state', STATES),
        engine: word(o, 'engine', ENGINES),
        live: o['live'] === true,
        compare: o['compare'] === true,
        limit: typeof limit === 'number' ? limit : undefined,
        output: word(o, 'output', ['text', 'json'] as const),
        config: text(o, 'config'),
        tenant: text(o, 'tenant'),
        palette: outPalette(),
        errPalette: errPalette(),
      };
      done(await replay(files, options, io));
    });
}
