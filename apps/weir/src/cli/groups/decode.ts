import { type Command, Option } from 'commander';
import { append, type GroupContext, type Values, word } from '../options.ts';

/** Commands that decode messages. */
export function addDecodeCommands(program: Command, context: GroupContext): void {
  const { done, io } = context;
  const decode = program.command('decode').summary('decode messages').description('Decodes messages of a protocol.').helpCommand(false);
  decode
    .command('bgp')
    .summary('decode BGP messages')
    .description('One JSON object for each message, with what RFC 7606 asks for. Messages are hex, one a line, or in an MRT or pcap file.')
    .argument('[file]', 'file to read; - is standard input', '-')
    .addOption(new Option('--session <kind>', 'kind of session the messages are from').choices(['ebgp', 'ibgp']).default('ebgp'))
    .addOption(new Option('--as4 <yes>', 'whether AS numbers have four octets').choices(['true', 'false']).default('true'))
    .addOption(new Option('--add-path <family>', 'a family whose prefixes carry path identifiers; may be given again').argParser(append))
    .addOption(new Option('--format <format>', 'what the file is').choices(['hex', 'mrt', 'pcap']).default('hex'))
    .action(async (file: string, o: Values) => {
      const { decodeBgp } = await import('../commands/decode-bgp.ts');
      const options = {
        session: word(o, 'session', ['ebgp', 'ibgp'] as const),
        as4: o['as4'] === 'true',
        addPath: Array.isArray(o['addPath']) ? o['addPath'].map(String) : [],
        format: word(o, 'format', ['hex', 'mrt', 'pcap'] as const),
      };
      done(await decodeBgp(file, options, io));
    });
}
