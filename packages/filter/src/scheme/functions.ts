import type { FunctionDefinition, Parameter } from './scheme.ts';
import { BOOL, BYTES, INT, IP } from './type.ts';

const bytesValue: Parameter = { type: BYTES, accepts: 'value' };
const bytesEither: Parameter = { type: BYTES, accepts: 'either' };
const intLiteral: Parameter = { type: INT, accepts: 'literal' };

/** Headers that `bit_slice` can start at. */
export const SLICE_PROTOCOLS: readonly string[] = ['ip', 'ip6', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'gre', 'esp'];

/** `bit_slice`: the last bit that it can start at, and how many it can take. */
const MAX_SLICE_START = 2040;
const MAX_SLICE_BITS = 32;

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
    check: ([v4 = 0, v6 = 0]) =>
      v4 < 0 || v4 > 32
        ? 'an IPv4 address is cut to 0 to 32 bits'
        : v6 < 0 || v6 > 128
          ? 'an IPv6 address is cut to 0 to 128 bits'
          : undefined,
    doc: 'the address cut to so many bits (IPv4, IPv6)',
  },
  {
    name: 'bit_slice',
    parameters: [{ type: BYTES, accepts: 'literal', words: SLICE_PROTOCOLS }, intLiteral, intLiteral],
    returns: INT,
    check: ([start = 0, end = 0]) =>
      start < 0 || start > MAX_SLICE_START
        ? `a slice starts at bit 0 to ${MAX_SLICE_START}`
        : end <= start || BigInt(end) - BigInt(start) > MAX_SLICE_BITS
          ? `a slice is 1 to ${MAX_SLICE_BITS} bits, its end is the bit behind the last`
          : undefined,
    doc: 'bits [start, end) from the start of a header: at most 32, from offset 2040 at most',
  },
];

export const FUNCTIONS: ReadonlyMap<string, FunctionDefinition> = new Map(definitions.map((d) => [d.name, d]));
