import { type Expression, type LimitExpression, prepareExpression } from '@weir/netlink/nftables';
import { FIELDS } from './fields.ts';
import { fingerprint } from './fingerprint.ts';
import type { LimitImage, RuleImage, RuleStatement, RuleVerdict } from './image.ts';
import { type AnonymousSet, MatchCompiler, REGISTER } from './match-expressions.ts';
import { TCP } from './numbers.ts';

export type { AnonymousSet } from './match-expressions.ts';

/** A rule as the kernel takes it. A lookup with `setId` n means `sets[n]`. */
export interface CompiledRule {
  readonly name: string;
  readonly expressions: readonly Expression[];
  readonly sets: readonly AnonymousSet[];
  /** Names of programs that it asks; a `match bpf` with one for a path means where that is. */
  readonly programs: readonly string[];
  /** Differs when what the rule does differs: 16 hexadecimal digits, kept in the rule's user data. */
  readonly fingerprint: string;
}

const REJECT_CODE = { 'port-unreachable': 1, 'admin-prohibited': 3 } as const;

const COUNTER: Expression = prepareExpression({ kind: 'counter', packets: 0n, bytes: 0n });
const ends = (kind: 'accept' | 'drop' | 'return'): Expression =>
  prepareExpression({ kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind } } });
const ENDS = { accept: ends('accept'), drop: ends('drop'), return: ends('return') } as const;

/** One image may stand in many chains. */
const fingerprints = new WeakMap<RuleImage, string>();

export function ruleFingerprint(rule: RuleImage): string {
  const known = fingerprints.get(rule);
  if (known !== undefined) return known;
  const made = fingerprint(rule);
  fingerprints.set(rule, made);
  return made;
}

export function compileRule(rule: RuleImage, print: string = ruleFingerprint(rule)): CompiledRule {
  const compiler = new MatchCompiler();
  for (const match of rule.matches) compiler.match(match);
  const statements = rule.statements ?? [];
  const limits = statements.filter(isLimit);
  for (const statement of limits) limitExpressions(compiler, statement);
  if (rule.verdict.kind === 'reject' && rule.verdict.with === 'tcp-reset') compiler.needProtocol(TCP);
  if (rule.verdict.kind === 'map') compiler.loadField(FIELDS[rule.verdict.field]);
  if (rule.verdict.kind === 'lookup') compiler.loadKeys(rule.verdict.keys, rule.verdict.bits);
  const { expressions, sets, programs } = compiler;
  if (rule.count !== false) expressions.push(COUNTER);
  for (const statement of statements) if (!isLimit(statement)) effect(expressions, statement);
  verdict(expressions, rule.verdict);
  return { name: rule.name, expressions, sets, programs, fingerprint: print };
}

type Limiting = Extract<RuleStatement, { kind: 'limit' | 'meter' | 'sample' }>;

/** Statements that the packets over a limit do not come past. */
export function isLimit(statement: RuleStatement): statement is Limiting {
  return statement.kind === 'limit' || statement.kind === 'meter' || statement.kind === 'sample';
}

function limitExpressions(compiler: MatchCompiler, statement: Limiting): void {
  if (statement.kind === 'sample') {
    compiler.expressions.push({ kind: 'numgen', dreg: REGISTER, modulus: statement.every, of: 'incremental' });
    compiler.expressions.push({ kind: 'cmp', sreg: REGISTER, op: 'eq', data: new Uint8Array(4) });
    return;
  }
  if (statement.kind === 'limit') {
    compiler.expressions.push(limitExpression(statement.limit, statement.over));
    return;
  }
  const { set, family, side, bits, limit } = statement;
  compiler.loadAddress(family, side, bits);
  compiler.expressions.push({ kind: 'dynset', set, op: 'update', sregKey: REGISTER, expressions: [limitExpression(limit)] });
}

function limitExpression({ unit, rate, burst }: LimitImage, over = false): LimitExpression {
  return { kind: 'limit', rate: BigInt(rate), unit: 1n, burst, of: unit, ...(over ? { over } : {}) };
}

function effect(expressions: Expression[], statement: Exclude<RuleStatement, Limiting>): void {
  if (statement.kind === 'log') {
    const { group, prefix } = statement;
    expressions.push({ kind: 'log', prefix, group });
    return;
  }
  if (statement.kind === 'dscp') {
    expressions.push(...writeDscp(statement.family, statement.dscp));
    return;
  }
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, statement.mark, true);
  expressions.push({ kind: 'immediate', dreg: REGISTER, data: { kind: 'value', bytes } });
  expressions.push({ kind: 'meta', key: 'mark', sreg: REGISTER });
}

/** Octets 0 and 1 of the header with the codepoint: bits 8 to 13 of IPv4, whose checksum follows; 4 to 9 of IPv6. */
function writeDscp(family: 4 | 6, dscp: number): readonly Expression[] {
  const shift = family === 4 ? 2 : 6;
  const keep = 0xffff & ~(0x3f << shift);
  const place = { kind: 'payload', base: 'network', offset: 0, length: 2 } as const;
  const checksum = family === 4 ? ({ checksum: 'inet', checksumOffset: 10 } as const) : ({ checksum: 'none', checksumOffset: 0 } as const);
  const [mask, xor] = [keep, dscp << shift].map((word) => Uint8Array.of(word >> 8, word & 0xff));
  return [
    { ...place, dreg: REGISTER },
    { kind: 'bitwise', op: 'mask-xor', sreg: REGISTER, dreg: REGISTER, length: 2, ...(mask && { mask }), ...(xor && { xor }) },
    { ...place, sreg: REGISTER, ...checksum },
  ];
}

function verdict(expressions: Expression[], wanted: RuleVerdict): void {
  switch (wanted.kind) {
    case 'continue':
      return;
    case 'accept':
    case 'drop':
    case 'return':
      expressions.push(ENDS[wanted.kind]);
      return;
    case 'jump':
    case 'goto':
      expressions.push({
        kind: 'immediate',
        dreg: 0,
        data: { kind: 'verdict', verdict: { kind: wanted.kind, chain: wanted.chain } },
      });
      return;
    case 'reject':
      if (wanted.with === 'tcp-reset') expressions.push({ kind: 'reject', with: 'tcp-reset', code: 0 });
      else expressions.push({ kind: 'reject', with: 'icmpx', code: REJECT_CODE[wanted.with] });
      return;
    case 'map':
    case 'lookup':
      expressions.push({ kind: 'lookup', set: wanted.map, sreg: REGISTER, dreg: 0 });
      return;
  }
}
