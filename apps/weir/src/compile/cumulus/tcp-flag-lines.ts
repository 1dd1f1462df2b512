import { bitsOf, flagMask, flagOption } from '../iptables/box.ts';
import { TCP } from '../iptables/literal.ts';
import { type Match, option } from '../iptables/match.ts';
import { withoutHeader } from './header-absent.ts';
import type { BoxContext, Literals } from './lines.ts';

/** Flags that are set and flags that are not; the others may be either. */
interface Cube {
  readonly mask: number;
  readonly on: number;
}

/** All that is asked of flags of TCP as one group of lines; what is not about them is returned. */
export function tcpFlagLines(
  literals: Literals,
  context: BoxContext,
): { readonly groups: readonly (readonly Match[])[]; readonly rest: Literals } {
  const isFlags = ({ test }: Literals[number]): boolean => flagMask(test) !== undefined;
  const rest = literals.filter((literal) => !isFlags(literal));
  const asked = literals.filter(isFlags);
  const [first] = asked;
  if (!first) return { groups: [], rest };
  const bits = asked.map(({ test, span }) => bitsOf(flagMask(test) ?? 0, span));
  const off = asked.reduce((sum, { negated }, i) => (negated ? (bits[i] ?? []).reduce((a, b) => a | b, sum) : sum), 0);
  let cubes: readonly Cube[] = [{ mask: off, on: 0 }];
  asked.forEach(({ negated }, i) => {
    if (!negated) cubes = cubes.flatMap((cube) => withOneOf(cube, bits[i] ?? []));
  });
  const lines = cubes.map(({ mask, on }) => {
    const line = flagOption(mask, on);
    // iptables-nft 1.8.9 reads flags where later fragments have their data; -m multiport looks at first fragments alone.
    const guarded = context.options.matches === 'iptables' && !context.options.state && !asksForPorts(literals);
    return guarded ? { ...line, options: [...line.options, ...option('multiport', '--sports 0:65535').options] } : line;
  });
  // Flags that are all to be off are so in packets that have none.
  const any = asked.every(({ negated }) => negated);
  return { groups: [any ? withoutHeader(TCP, 'tcp.flags', lines, context, first.span) : lines], rest };
}

/** Of the cube what has one of the flags, in parts: the first; the second without the first; ... */
function withOneOf({ mask, on }: Cube, bits: readonly number[]): readonly Cube[] {
  if (bits.some((bit) => (on & bit) !== 0)) return [{ mask, on }];
  const free = bits.filter((bit) => (mask & bit) === 0);
  return free.map((bit, i) => ({ mask: free.slice(0, i + 1).reduce((sum, one) => sum | one, mask), on: on | bit }));
}

function asksForPorts(literals: Literals): boolean {
  return literals.some(
    ({ test, negated }) =>
      !negated && test.kind === 'int' && test.operand.kind === 'field' && /^tcp\.(src|dst)port$/.test(test.operand.name),
  );
}
