import { DecodeError, Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, readBytes, readString } from '../../message/index.ts';
import { type BitwiseExpression, bitwise } from './bitwise.ts';
import { type ByteorderExpression, byteorder } from './byteorder.ts';
import { type CmpExpression, cmp } from './cmp.ts';
import type { ExpressionCodec, UnknownExpression } from './codec.ts';
import { type ConnlimitExpression, connlimit } from './connlimit.ts';
import { type CounterExpression, counter } from './counter.ts';
import { type CtExpression, ct } from './ct.ts';
import { type DynsetExpression, dynset } from './dynset.ts';
import { type ExthdrExpression, exthdr } from './exthdr.ts';
import { type FibExpression, fib } from './fib.ts';
import { type ImmediateExpression, immediate } from './immediate.ts';
import { type LimitExpression, limit } from './limit.ts';
import { type LogExpression, log } from './log.ts';
import { type LookupExpression, lookup } from './lookup.ts';
import { type MasqExpression, masq } from './masq.ts';
import { type MatchExpression, match } from './match.ts';
import { type MetaExpression, meta } from './meta.ts';
import { type NatExpression, nat } from './nat.ts';
import { type NotrackExpression, notrack } from './notrack.ts';
import { type NumgenExpression, numgen } from './numgen.ts';
import { type ObjrefExpression, objref } from './objref.ts';
import { type PayloadExpression, payload } from './payload.ts';
import { type QueueExpression, queue } from './queue.ts';
import { type QuotaExpression, quota } from './quota.ts';
import { type RangeExpression, range } from './range.ts';
import { type RedirExpression, redir } from './redir.ts';
import { type RejectExpression, reject } from './reject.ts';
import { type RtExpression, rt } from './rt.ts';
import { type SocketExpression, socket } from './socket.ts';

type Plain =
  | BitwiseExpression
  | ByteorderExpression
  | CmpExpression
  | ConnlimitExpression
  | CounterExpression
  | CtExpression
  | ExthdrExpression
  | FibExpression
  | ImmediateExpression
  | LimitExpression
  | LogExpression
  | LookupExpression
  | MasqExpression
  | MatchExpression
  | MetaExpression
  | NatExpression
  | NotrackExpression
  | NumgenExpression
  | ObjrefExpression
  | PayloadExpression
  | QueueExpression
  | QuotaExpression
  | RangeExpression
  | RedirExpression
  | RejectExpression
  | RtExpression
  | SocketExpression;

/** One step of a rule. `kind` is the kernel's name of it. */
export type Expression = Plain | DynsetExpression<Expression> | UnknownExpression;

/** A `dynset` in a `dynset` is the deepest that makes sense; what nests deeper is refused, so that input cannot exhaust the stack. */
const MAX_DEPTH = 4;

const PLAIN = [
  bitwise,
  byteorder,
  cmp,
  connlimit,
  counter,
  ct,
  exthdr,
  fib,
  immediate,
  limit,
  log,
  lookup,
  masq,
  match,
  meta,
  nat,
  notrack,
  numgen,
  objref,
  payload,
  queue,
  quota,
  range,
  redir,
  reject,
  rt,
  socket,
];

const REGISTRIES: ReadonlyMap<string, ExpressionCodec<Expression>>[] = [];

/** The codecs for expressions `depth` levels inside another one. */
function registry(depth: number): ReadonlyMap<string, ExpressionCodec<Expression>> {
  const made = REGISTRIES[depth];
  if (made) return made;
  const dynamic = dynset<Expression>({ decode: (r) => decodeAt(r, depth + 1), encode: encodeExpression });
  const codecs = [...PLAIN, dynamic] as unknown as ExpressionCodec<Expression>[];
  const built = new Map(codecs.map((codec) => [codec.kind as string, codec]));
  REGISTRIES[depth] = built;
  return built;
}

/** The attributes of one expression: NAME and DATA. One that is not understood whole is kept as `unknown`. */
export function decodeExpression(r: Reader): Expression {
  return decodeAt(r, 0);
}

function decodeAt(r: Reader, depth: number): Expression {
  const at = r.pos;
  if (depth >= MAX_DEPTH) throw new DecodeError(`expressions nested deeper than ${MAX_DEPTH}`, at, 'NFTA_EXPR_DATA');
  let name: string | undefined;
  let data: Reader | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) name = readString(value);
    else if (type === 2) data = value;
  });
  if (name === undefined) throw new DecodeError('an expression without a name', at, 'NFTA_EXPR_NAME');
  const start = data?.pos ?? 0;
  const decoded = registry(depth)
    .get(name)
    ?.decode(data ?? new Reader(new Uint8Array(0)));
  if (decoded) return decoded;
  return { kind: 'unknown', name, bytes: data ? readBytes(new Reader(data.bytes, start, data.end)) : new Uint8Array(0) };
}

/** Of expressions that many rules share; empty until they are asked for. */
const prepared = new WeakMap<Expression, Uint8Array>();
const NOT_YET = new Uint8Array(0);

/** The expression, to be encoded once for all times that this object is. */
export function prepareExpression(expression: Expression): Expression {
  prepared.set(expression, NOT_YET);
  return expression;
}

export function encodeExpression(w: Writer, expression: Expression): void {
  let known = prepared.get(expression);
  if (known === NOT_YET) {
    const alone = new Writer(64);
    encodeKind(alone, expression);
    known = alone.finish();
    prepared.set(expression, known);
  }
  if (known) w.bytes(known);
  else encodeKind(w, expression);
}

function encodeKind(w: Writer, expression: Expression): void {
  if (expression.kind === 'unknown') {
    putString(w, 1, expression.name);
    putBytes(w, 2, expression.bytes);
    return;
  }
  putString(w, 1, expression.kind);
  const nest = openNest(w, 2);
  registry(0).get(expression.kind)?.encode(w, expression);
  closeAttribute(w, nest);
}
