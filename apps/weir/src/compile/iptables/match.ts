import { IP_PROTOCOLS } from '@weir/filter/scheme';

/** Options of one match module, or of iptables itself (module undefined). */
export interface Option {
  readonly module: string | undefined;
  readonly text: string;
}

/** What one line asks of a packet: all of it. */
export interface Match {
  /** Number for `-p`. */
  readonly protocol: number | undefined;
  readonly options: readonly Option[];
}

export const ALWAYS: Match = { protocol: undefined, options: [] };

/** Modules whose options stand together; of the others each option has a match of its own. */
const TOGETHER: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp']);

export function option(module: string | undefined, text: string, protocol?: number): Match {
  return { protocol, options: [{ module, text }] };
}

export function ofProtocol(protocol: number): Match {
  return { protocol, options: [] };
}

/** Both; undefined when no packet is of both protocols. */
export function both(a: Match, b: Match): Match | undefined {
  if (a.protocol !== undefined && b.protocol !== undefined && a.protocol !== b.protocol) return undefined;
  return { protocol: a.protocol ?? b.protocol, options: [...a.options, ...b.options] };
}

/** Whether both have an option that iptables takes once in a line: `-i`, or `-p` and `! -p`. */
export function clash(a: Match, b: Match): boolean {
  const own = ({ protocol, options }: Match): string[] => [
    ...(protocol === undefined ? [] : ['-p']),
    ...options.flatMap(({ module, text }) => (module === undefined ? (/-\w/.exec(text) ?? []) : [])),
  ];
  const mine = own(a);
  return own(b).some((flag) => mine.includes(flag) && !(flag === '-p' && a.protocol !== undefined && a.protocol === b.protocol));
}

/** As iptables-save writes it: ` -p tcp -m tcp --dport 80`, with a blank before each word; empty for every packet. */
export function printMatch({ protocol, options }: Match): string {
  const own = options.filter((one) => one.module === undefined).map((one) => ` ${one.text}`);
  const modules: string[] = [];
  const seen = new Set<string>();
  for (const { module, text } of options) {
    if (module === undefined || seen.has(module)) continue;
    if (!TOGETHER.has(module)) {
      modules.push(` -m ${module} ${text}`);
      continue;
    }
    seen.add(module);
    const texts = options.filter((one) => one.module === module).map((one) => one.text);
    modules.push(` -m ${module} ${texts.join(' ')}`);
  }
  return `${own.join('')}${protocol === undefined ? '' : ` -p ${protocolName(protocol)}`}${modules.join('')}`;
}

const NAMED: readonly string[] = ['tcp', 'udp', 'icmp', 'sctp', 'gre', 'esp', 'ah'];

function protocolName(number: number): string {
  if (number === IP_PROTOCOLS['icmpv6']) return 'ipv6-icmp';
  return NAMED.find((name) => IP_PROTOCOLS[name] === number) ?? `${number}`;
}
