// The typed form: whatever parses is lowered to an expression that its text and its JSON give back; JSON that is none is refused; nothing is evaluated to an exception.
import { deepStrictEqual } from 'node:assert';
import { evaluate, type Subject, trace } from '@weir/filter/eval';
import {
  cost,
  decodeExpr,
  type Expr,
  ExprFormatError,
  encodeExpr,
  exprBuilder,
  type ListDefinitions,
  lower,
  printExpr,
  toBoxes,
} from '@weir/filter/ir';
import { Packet } from '@weir/filter/packet';
import { PACKET_SCHEME } from '@weir/filter/scheme';
import { parse, printProblem } from '@weir/filter/syntax';
import { validCases } from '../conformance/filter/cases.ts';
import type { FuzzTarget } from './fuzz.ts';

const cases = validCases().filter(({ scheme }) => scheme === PACKET_SCHEME);
const written = [
  'tcp.dstport in {80 443 8000..8100} and ip.src in {192.0.2.0/24 2001:db8::/32} and not tcp.flags & 0x12',
  'ip.proto == "tcp" xor (udp.payload contains 00:01 or not cidr(ip.src, 24, 48) == 192.0.2.0)',
  'not (ip.ttl > 5 or lower(iif.name) matches "^eth[0-9]+$") and ip.dst in $web and len(tcp.payload) >= 3',
  'bit_slice(tcp, 100, 116) & 7 and meta.mark != 3 and iif.name strict wildcard "e*0" and iif.name > "a"',
];
const lists: ListDefinitions = new Map([['web', { kind: 'named', type: { kind: 'Ip' } }]]);
const tables = { asnum: true, country: true };
const builder = exprBuilder(PACKET_SCHEME);

function lowered(text: string): Expr | undefined {
  const parsed = parse(text, PACKET_SCHEME, { maxLength: Number.POSITIVE_INFINITY });
  if ('problem' in parsed) return undefined;
  const { expr, problems, warnings } = lower(parsed.tree, PACKET_SCHEME, { lists, tables });
  for (const { span } of [...problems, ...warnings]) {
    if (!(span.start >= 0 && span.start <= span.end && span.end <= text.length)) throw new Error(`no place: ${span.start} to ${span.end}`);
  }
  for (const problem of problems) printProblem(text, problem);
  if ((expr === undefined) !== problems.length > 0) throw new Error('neither an expression nor a problem');
  return expr;
}

/** An expression without its spans. */
function bare(expr: Expr): Expr {
  const { span: _, ...rest } = expr;
  return 'items' in rest ? { ...rest, items: rest.items.map(bare) } : rest;
}

function use(expr: Expr, packet: Subject): void {
  const value = evaluate(expr, packet);
  deepStrictEqual(trace(expr, packet).value, value);
  deepStrictEqual(decodeExpr(JSON.parse(JSON.stringify(encodeExpr(expr)))), expr);
  const boxes = toBoxes(expr, 16);
  if (boxes)
    deepStrictEqual(
      boxes.some(({ literals }) => literals.every((literal) => evaluate(literal, packet))),
      value,
    );
}

export const target: FuzzTarget = {
  name: 'filter-ir',
  /** Text, or after an octet 0xff JSON. */
  corpus: () => [
    ...[...written, ...cases.map(({ expression }) => expression)].map((text) => Buffer.from(text)),
    ...written.map((text) =>
      Buffer.concat([Uint8Array.of(0xff), Buffer.from(JSON.stringify(encodeExpr(lowered(text) ?? builder.constant(true))))]),
    ),
  ],
  run(input) {
    const packet = Packet.fromNetwork(input);
    if (input[0] === 0xff) return runJson(new TextDecoder().decode(input.subarray(1)), packet);
    const expr = lowered(new TextDecoder().decode(input));
    if (!expr) return;
    use(expr, packet);
    deepStrictEqual(builder.simplify(expr), expr);
    const again = lowered(printExpr(expr));
    if (!again) throw new Error(`does not come back: ${printExpr(expr)}`);
    deepStrictEqual(bare(again), bare(expr));
  },
};

function runJson(text: string, packet: Subject): void {
  let expr: Expr;
  try {
    expr = decodeExpr(JSON.parse(text), PACKET_SCHEME);
  } catch (error) {
    if (error instanceof ExprFormatError || error instanceof SyntaxError) return;
    throw error;
  }
  deepStrictEqual(decodeExpr(JSON.parse(JSON.stringify(encodeExpr(expr)))), expr);
  if (cost(expr) > 100_000) return;
  const simple = builder.simplify(expr);
  deepStrictEqual(evaluate(simple, packet), evaluate(expr, packet));
  use(simple, packet);
}
