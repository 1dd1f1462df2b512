import { complementSet, type IrSpan, intSet } from '@weir/filter/ir';
import { both, clash, type Match, type Option } from '../iptables/match.ts';
import { u32Lines } from './u32.ts';
import { unsayable } from './unsayable.ts';

/** What passes both lines as one; undefined where nothing does. Throws Unsayable where iptables would take an option twice. */
export function joinLines(a: Match, b: Match, span: IrSpan | undefined): Match | undefined {
  const left = withProtocol(a, b.protocol);
  const right = left && withProtocol(withoutRepeats(b, left), left.protocol);
  const joined = left && right && both(left, right);
  if (!joined || isContradiction(joined)) return undefined;
  if (clash(withoutNots(left), withoutNots(right))) throw unsayable('what takes one option twice', span);
  const [first] = joined.options.filter((one) => notProtocol(one) !== undefined);
  const options = joined.options.flatMap((one) => {
    const protocol = notProtocol(one);
    return protocol === undefined || one === first ? [one] : u32Not(protocol);
  });
  return { ...joined, options };
}

function withoutRepeats(line: Match, { options }: Match): Match {
  const isThere = (one: Option): boolean =>
    one.module === undefined && options.some((other) => other.module === undefined && other.text === one.text);
  return { ...line, options: line.options.filter((one) => !isThere(one)) };
}

/** Fragments that are not. */
function isContradiction({ options }: Match): boolean {
  const has = (text: string): boolean => options.some((one) => one.module === undefined && one.text === text);
  return has('-f') && has('! -f');
}

function withoutNots(line: Match): Match {
  return { ...line, options: line.options.filter((one) => notProtocol(one) === undefined) };
}

/** A line of which the protocol is known: that it is not another one needs no word then. Undefined where it is the one that is left out. */
function withProtocol(line: Match, protocol: number | undefined): Match | undefined {
  if (protocol === undefined) return line;
  if (line.options.some((one) => notProtocol(one) === protocol)) return undefined;
  return { ...line, options: line.options.filter((one) => notProtocol(one) === undefined) };
}

function notProtocol({ module, text }: Option): number | undefined {
  const [, number] = (module === undefined && /^! -p (\d+)$/.exec(text)) || [];
  return number === undefined ? undefined : Number(number);
}

/** `! -p` is taken once; the others are asked for in the header. */
function u32Not(protocol: number): readonly Option[] {
  return u32Lines('6&0xFF', complementSet(intSet(protocol), 0, 255)).flatMap(({ options }) => options);
}
