import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, putU32, putU64, readBytes, readString } from '../message/index.ts';
import { decodeExpression, type Expression, encodeExpression } from './expr/index.ts';
import type { NftFamily } from './family.ts';
import { type Commented, decodeComment, encodeComment } from './userdata.ts';

export interface Rule extends Commented {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  readonly expressions: readonly Expression[];
  /** Given by the kernel when the rule is added; names it in `replaceRule` and `deleteRule`. */
  readonly handle?: bigint;
  /** The handle of the rule that this one stands after (in a dump) or next to (when it is added). */
  readonly position?: bigint;
  /** Number of a rule within its transaction, and of the rule in the same transaction that it stands next to. */
  readonly id?: number;
  readonly positionId?: number;
  /** Chain and table as iptables-nft knows them (NFTA_RULE_COMPAT), kept as bytes. */
  readonly compat?: Uint8Array;
}

export interface RuleRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  readonly handle: bigint;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes of NEWRULE; with `only`, of its expressions those of that name. */
export function decodeRule(family: NftFamily, r: Reader, only?: string): Rule {
  const expressions: Expression[] = [];
  const rule: Mutable<Rule> = { family, table: '', chain: '', expressions };
  let userdata: Uint8Array | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) rule.table = readString(value);
    else if (type === 2) rule.chain = readString(value);
    else if (type === 3) rule.handle = value.u64('NFTA_RULE_HANDLE');
    else if (type === 4) {
      eachAttribute(value, (_type, item) => {
        if (only === undefined || isNamed(item, only)) expressions.push(decodeExpression(item));
      });
    } else if (type === 5) rule.compat = readBytes(value);
    else if (type === 6) rule.position = value.u64('NFTA_RULE_POSITION');
    else if (type === 7) userdata = readBytes(value);
    else if (type === 9) rule.id = value.u32('NFTA_RULE_ID');
  });
  if (userdata) Object.assign(rule, decodeComment(userdata));
  return rule;
}

/** Whether an expression has this name, which the kernel writes first. */
function isNamed(r: Reader, name: string): boolean {
  const at = r.pos + 4;
  if (r.end - at < name.length + 1) return false;
  for (let i = 0; i < name.length; i++) if (r.bytes[at + i] !== name.charCodeAt(i)) return false;
  return r.bytes[at + name.length] === 0;
}

/** What the kernel takes; `fresh`: of a rule that is added, whatever its handle was. */
export function encodeRule(w: Writer, rule: Rule, fresh = false): void {
  putString(w, 1, rule.table);
  putString(w, 2, rule.chain);
  if (rule.handle !== undefined && !fresh) putU64(w, 3, rule.handle);
  const nest = openNest(w, 4);
  for (const expression of rule.expressions) {
    const item = openNest(w, 1);
    encodeExpression(w, expression);
    closeAttribute(w, item);
  }
  closeAttribute(w, nest);
  if (rule.compat) putBytes(w, 5, rule.compat);
  if (rule.position !== undefined) putU64(w, 6, rule.position);
  const userdata = encodeComment(rule);
  if (userdata) putBytes(w, 7, userdata);
  if (rule.id !== undefined) putU32(w, 9, rule.id);
  if (rule.positionId !== undefined) putU32(w, 10, rule.positionId);
}

export function encodeRuleRef(w: Writer, rule: RuleRef): void {
  putString(w, 1, rule.table);
  putString(w, 2, rule.chain);
  putU64(w, 3, rule.handle);
}
