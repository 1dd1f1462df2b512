import { type Ip, mask32, parseIp } from '@weir/wire/inet';
import { UntranslatableError } from '../iptables/values.ts';
import type { Clause, ClauseAction, Limit, RejectWith } from '../program.ts';
import { type Entry, note, printable } from '../report.ts';
import { get, getNumber, getString, type Json, listOf, single } from './json.ts';
import { type Alternative, MAX_ALTERNATIVES, readMatch, type Scope, testKey } from './match.ts';
import { bare, members, readNumber } from './values.ts';

interface Draft {
  readonly entry: Entry;
  readonly scope: Scope;
  readonly clauses: Clause[];
  alternatives: readonly Alternative[];
  limit: Limit | undefined;
  comment: string | undefined;
  ended: boolean;
}

/** The statements of a rule as clauses. What a policy cannot say is noted in the entry and gives none. */
export function readRule(rule: Json, entry: Entry, scope: Scope): readonly Clause[] {
  const comment = getString(rule, 'comment');
  const draft: Draft = {
    entry,
    scope,
    clauses: [],
    alternatives: [[]],
    limit: undefined,
    comment: comment === undefined ? undefined : printable(comment).slice(0, 256),
    ended: false,
  };
  try {
    for (const statement of listOf(get(rule, 'expr') ?? [])) {
      if (draft.ended) throw new UntranslatableError('a statement follows the verdict');
      readStatement(draft, statement);
    }
  } catch (error) {
    if (!(error instanceof UntranslatableError)) throw error;
    note(entry, error.message, 'unsupported');
    return [];
  }
  notePorts(draft);
  if (draft.clauses.length === 0 && entry.status === 'translated') note(entry, 'only counts; Weir counts each rule');
  return draft.clauses;
}

function emit(draft: Draft, action: ClauseAction, more: Alternative = []): void {
  const { entry, limit, comment } = draft;
  for (const conditions of draft.alternatives) draft.clauses.push({ entry, conditions: [...conditions, ...more], limit, action, comment });
  if (draft.clauses.length > MAX_ALTERNATIVES) throw new UntranslatableError(`the rule would become more than ${MAX_ALTERNATIVES} rules`);
}

/** Ports of any protocol (`th dport`) are those of the protocols that a policy sees ports of. */
function notePorts(draft: Draft): void {
  const any = draft.alternatives.some(
    (a) => a.some((c) => c.kind === 'port' && c.protocols.length > 1) && !a.some((c) => c.kind === 'protocol'),
  );
  if (any) note(draft.entry, 'ports are those of TCP, UDP and SCTP alone', 'approximated');
}

function readStatement(draft: Draft, statement: Json): void {
  const [name, value] = typeof statement === 'string' ? ([statement, null] as const) : (single(statement) ?? ['', undefined]);
  const verdict = readVerdict(name, value);
  if (verdict) {
    emit(draft, verdict);
    draft.ended = true;
    return;
  }
  switch (name) {
    case 'match': {
      const found = readMatch(value, draft.scope);
      if (found.length * draft.alternatives.length > MAX_ALTERNATIVES)
        throw new UntranslatableError(`the rule would become more than ${MAX_ALTERNATIVES} rules`);
      draft.alternatives = draft.alternatives.flatMap((before) => found.map((more) => [...before, ...more]));
      return;
    }
    case 'counter':
    case 'continue':
    case 'last':
      return;
    case 'log': {
      const prefix = getString(value, 'prefix')?.trim();
      if (prefix !== undefined && prefix !== '') draft.comment ??= `log "${printable(prefix).slice(0, 128)}"`;
      emit(draft, { kind: 'log' });
      return;
    }
    case 'limit':
      setLimit(draft, typeof value === 'string' ? draft.scope.sets.limit(draft.scope.family, draft.scope.table, value) : value, 'rule');
      return;
    case 'meter':
      setMeter(draft, get(value, 'key'), listOf(get(value, 'stmt')));
      return;
    case 'set':
      if (get(value, 'stmt') !== undefined) setMeter(draft, get(value, 'elem'), listOf(get(value, 'stmt')));
      else note(draft.entry, 'a policy does not fill sets from packets', 'approximated');
      return;
    case 'reject':
      emit(draft, { kind: 'reject', with: readReject(draft, value) });
      draft.ended = true;
      return;
    case 'mangle':
      setMark(draft, value);
      return;
    case 'vmap':
      readVmap(draft, value);
      draft.ended = true;
      return;
    case 'notrack':
      note(draft.entry, 'a policy does not change connection tracking', 'approximated');
      return;
    case 'xt':
      throw new UntranslatableError('the rule is made by iptables-nft; import what iptables-save prints instead');
    default:
      throw new UntranslatableError(UNSUPPORTED[name] ?? `the statement ${name === '' ? 'here' : name} is not known`);
  }
}

const NAT = 'address translation is not filtering';
const UNSUPPORTED: Readonly<Record<string, string>> = {
  snat: NAT,
  dnat: NAT,
  masquerade: NAT,
  redirect: NAT,
  queue: 'a policy hands no packets to programs',
  'ct count': 'a policy does not count connections',
  'ct helper': 'a policy does not change connection tracking',
  'ct timeout': 'a policy does not change connection tracking',
  'ct expectation': 'a policy does not change connection tracking',
  quota: 'a policy does not count octets up to a quota',
  dup: 'a policy does not copy packets',
  fwd: 'a policy does not forward packets past routing',
  flow: 'a policy does not offload flows',
  tproxy: 'a policy has no transparent proxy',
  synproxy: 'a policy has no SYN proxy',
  secmark: 'a policy does not set security marks',
  map: 'values of maps are not looked up',
};

/** accept, drop, return, jump and goto. */
function readVerdict(name: string, value: Json): ClauseAction | undefined {
  switch (name) {
    case 'accept':
    case 'drop':
    case 'return':
      return { kind: name };
    case 'jump':
    case 'goto': {
      const chain = getString(value, 'target');
      if (chain === undefined) throw new UntranslatableError(`${name} without a chain`);
      return { kind: name, chain };
    }
    default:
      return undefined;
  }
}

function readReject(draft: Draft, value: Json): RejectWith {
  const type = getString(value, 'type');
  const expr = getString(value, 'expr');
  if (type === 'tcp reset') return 'tcp-reset';
  if (expr === undefined || expr === 'port-unreachable') return 'port-unreachable';
  if (expr === 'admin-prohibited') return 'admin-prohibited';
  const other = expr.endsWith('prohibited') || expr === 'reject-route' || expr === 'policy-fail' ? 'admin-prohibited' : 'port-unreachable';
  note(draft.entry, `the answer is ${other}, not ${expr}`, 'approximated');
  return other;
}

/** `meta mark set 7`. */
function setMark(draft: Draft, value: Json): void {
  if (getString(get(get(value, 'key'), 'meta'), 'key') !== 'mark') throw new UntranslatableError('a policy does not change packets');
  const mark = get(value, 'value');
  if (typeof mark !== 'number') throw new UntranslatableError('a policy sets the whole mark to a number');
  emit(draft, { kind: 'mark', mark: readNumber(mark, 32, {}) });
}

const SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 };
const BYTES: Readonly<Record<string, number>> = { bytes: 1, kbytes: 1024, mbytes: 1024 * 1024 };

function setLimit(draft: Draft, value: Json, per: Limit['per']): void {
  if (draft.limit) throw new UntranslatableError('one rule has several rates');
  const rate = getNumber(value, 'rate');
  const seconds = SECONDS[getString(value, 'per') ?? 'second'];
  if (rate === undefined || seconds === undefined || rate <= 0) throw new UntranslatableError('a rate is not understood');
  const factor = BYTES[getString(value, 'rate_unit') ?? ''];
  const perSecond = (rate * (factor ?? 1)) / seconds;
  const written = (getNumber(value, 'burst') ?? 0) * (factor === undefined ? 1 : (BYTES[getString(value, 'burst_unit') ?? ''] ?? 1));
  const burst = written > 0 ? written : factor === undefined ? 5 : Math.max(65_536, perSecond);
  draft.limit = {
    over: get(value, 'inv') === true,
    unit: factor === undefined ? 'packets' : 'bytes',
    rate: perSecond,
    burst: Math.min(burst, 0xffffffff),
    per,
  };
}

/** Part of a key: a field, or the first bits of an address. */
function readKeyPart(part: Json): { readonly payload: Json | undefined; readonly bits: number | undefined } {
  const masked = get(part, '&');
  if (masked === undefined) return { payload: get(part, 'payload'), bits: undefined };
  const [field, mask] = listOf(masked);
  const ip = typeof mask === 'string' ? parseIp(mask) : undefined;
  const bits = ip && maskBits(ip);
  if (!bits) throw new UntranslatableError('a rate is counted by parts of addresses that are no prefixes');
  return { payload: get(field, 'payload'), bits };
}

/** The length of the prefix that a mask leaves; undefined where it leaves none. */
function maskBits({ family, w0, w1, w2, w3 }: Ip): number | undefined {
  for (let n = 1; n <= (family === 4 ? 32 : 128); n++)
    if (w0 === mask32(n) && (family === 4 || (w1 === mask32(n - 32) && w2 === mask32(n - 64) && w3 === mask32(n - 96)))) return n;
  return undefined;
}

/** A rate for each key. */
function setMeter(draft: Draft, key: Json, statements: readonly Json[]): void {
  const limits = statements.map((s) => get(s, 'limit')).filter((l) => l !== undefined);
  if (limits.length !== 1 || statements.length !== 1)
    throw new UntranslatableError('a set that packets fill is only understood with one rate');
  const parts = listOf(get(bare(key), 'concat') ?? bare(key)).map(readKeyPart);
  const [first] = parts;
  const keys = parts.map(({ payload }) => getString(payload, 'field'));
  const per = keys.includes('saddr') ? 'source' : keys.includes('daddr') ? 'destination' : 'rule';
  if (keys.length !== 1 || per === 'rule')
    note(draft.entry, `the rate is counted ${per === 'rule' ? 'for the rule' : `per ${per} address`} alone`, 'approximated');
  setLimit(draft, limits[0], per);
  // The key is of one family, which is part of what the rule matches; what is said of the other means nothing.
  const protocol = getString(first?.payload, 'protocol');
  if (draft.limit && per !== 'rule' && first?.bits !== undefined)
    draft.limit = { ...draft.limit, prefix: protocol === 'ip' ? { ip4: first.bits, ip6: 2 * first.bits } : { ip4: 32, ip6: first.bits } };
  if (protocol === 'ip' || protocol === 'ip6') {
    draft.alternatives = draft.alternatives.map((a) => [
      ...a,
      { kind: 'family' as const, family: protocol === 'ip' ? (4 as const) : (6 as const) },
    ]);
  }
}

/** A verdict for each key. */
function readVmap(draft: Draft, value: Json): void {
  const data = get(value, 'data');
  const { family, table, sets } = draft.scope;
  const elements = typeof data === 'string' && data.startsWith('@') ? sets.elements('map', family, table, data) : members(data);
  if (elements.length === 0) note(draft.entry, 'the map has no elements', 'unsupported');
  for (const element of elements) {
    const [key, verdict] = listOf(element);
    const [name, target] = single(verdict) ?? ['', undefined];
    if (name === 'continue') throw new UntranslatableError('a map that leads on is not understood');
    const action = readVerdict(name, target);
    if (!action) throw new UntranslatableError('a map has something else than verdicts');
    emit(draft, action, testKey(get(value, 'key'), bare(key)));
  }
}
