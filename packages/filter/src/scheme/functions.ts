import type { FunctionDefinition, Parameter } from './scheme.ts';
import { BOOL, BYTES, INT, IP } from './type.ts';

const bytesValue: Parameter = { type: BYTES, accepts: 'value' };
const bytesEither: Parameter = { type: BYTES, accepts: 'either' };
const intLiteral: Parameter = { type: INT, accepts: 'literal' };

/** Headers that `bit_slice` can start at. */
export const SLICE_PROTOCOLS: readonly string[] = ['ip', 'ip6', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'gre', 'esp'];

const definitions: readonly FunctionDefinition[] = [
  { name: 'len', parameters: [bytesValue], returns: INT, doc: 'length in octets' },
  { name: 'lower', parameters: [bytesValue], returns: BYTES, doc: 'ASCII letters as small letters' },
  { name: 'upper', parameters: [bytesValue], returns: BYTES, doc: 'ASCII letters as capital letters' },
  { name: 'starts_with', parameters: [bytesValue, bytesEither], returns: BOOL, doc: 'whether the first begins with the second' },
  { name: 'ends_with', parameters: [bytesValue, bytesEither], returns: BOOL, doc: 'whether the first ends with the second' },
  {
    name: 'cidr',
    parameters: [{ type: IP, accepts: 'value' }, intLiteral, intLiteral],
    returns: IP,
    doc: 'the address cut to so many bits (IPv4, IPv6)',
  },
  {
    name: 'bit_slice',
    parameters: [{ type: BYTES, accepts: 'literal', words: SLICE_PROTOCOLS }, intLiteral, intLiteral],
    returns: INT,
    doc: 'bits [start, end) from the start of a header: at most 32, from offset 2040 at most',
  },
];

export const FUNCTIONS: ReadonlyMap<string, FunctionDefinition> = new Map(definitions.map((d) => [d.name, d]));
