import type { HookRules, LogSampling, RateLimit, Rule } from '../../../model/rule.ts';
import { digest } from '../fingerprint.ts';
import type { LimitImage, Match, MeterImage, RuleImage, RuleStatement, RuleVerdict } from '../image.ts';
import { TCP } from '../numbers.ts';
import { slugOf } from './chains.ts';

/** What one rule of a chain does with the packets that come to it. */
export type Tail = Omit<RuleImage, 'name'>;

/** What a rule does with the packets that its expression accepts. */
export interface Effect {
  readonly tails: readonly Tail[];
  /** Nothing after it sees these packets. */
  readonly ends: boolean;
  readonly meters: readonly MeterImage[];
}

export interface EffectOptions {
  /** nfnetlink_log group. */
  readonly group: number;
}

/** Addresses that have a bucket of their own; all others of a family share one. */
const METER_SIZE = 65_535;
/** Seconds that an idle address keeps its bucket, at least and at most: it is full again then. */
const METER_TIMEOUT = { least: 60, most: 3600 } as const;
/** nf_tables keeps comments of 127 bytes; NFLOG prefixes are as long. */
const MOST_LABEL = 127;

const PLAIN = /^[ !#-[\]-~]*$/;

/** What nft can read between quotation marks, in as many bytes as the kernel keeps. */
export function label(text: string, most: number = MOST_LABEL): string {
  if (text.length <= most && PLAIN.test(text)) return text;
  const plain = text.replace(/["\\]/g, "'").replace(/\p{Cc}/gu, ' ');
  if (new TextEncoder().encode(plain).length <= most) return plain;
  let out = '';
  let length = 3;
  for (const character of plain) {
    length += new TextEncoder().encode(character).length;
    if (length > most) break;
    out += character;
  }
  return `${out}...`;
}

/** What the packets of a rule are logged with, by each verdict that it may come to. */
export function logPrefixes(hook: HookRules, rule: Rule): readonly string[] {
  const { tails } = effectOf(hook, rule, { group: 0 });
  return tails.flatMap(({ statements = [] }) => statements.flatMap((one) => (one.kind === 'log' ? [one.prefix] : [])));
}

/** `weir input web-1 deny: ` */
function logPrefix(hook: string, ref: string, verdict: string): string {
  const end = ` ${verdict}: `;
  // nft reads the name of a variable after a $ here, also in what it listed itself.
  return `${label(`weir ${hook} ${ref}`, MOST_LABEL - end.length).replaceAll('$', '_')}${end}`;
}

export function effectOf(hook: HookRules, rule: Rule, options: EffectOptions): Effect {
  const { action, audit } = rule;
  const log = (verdict: string): RuleStatement[] => [
    { kind: 'log', group: options.group, prefix: logPrefix(hook.hook, rule.ref, verdict) },
  ];
  // What is sampled is logged by a rule of its own: one that a packet does not come past would do nothing with it.
  const sampled = (statements: readonly RuleStatement[]): readonly Tail[] =>
    rule.sampling && statements.length > 0
      ? [{ ...tail([], [...sampling(rule.sampling), ...statements], { kind: 'continue' }), count: false }]
      : [];
  const always = <T extends RuleStatement>(statements: readonly T[]): readonly T[] => (rule.sampling ? [] : statements);
  const logged = (verdict: string): RuleStatement[] => (rule.log ? log(verdict) : []);
  const one = (logs: readonly RuleStatement[], verdict: RuleVerdict, ends: boolean, also: readonly RuleStatement[] = []): Effect => {
    return { tails: [...sampled(logs), tail([], [...always(logs), ...also], verdict)], ends, meters: [] };
  };
  const watched = (verdict: string): Effect => one(log(`audit ${verdict}`), { kind: 'continue' }, false);
  switch (action.kind) {
    case 'allow':
      return one(logged('allow'), { kind: 'accept' }, true);
    case 'deny':
      return audit ? watched('deny') : one(logged('deny'), { kind: 'drop' }, true);
    case 'reject': {
      if (audit) return watched('reject');
      const statements = logged('reject');
      const other: RuleVerdict = { kind: 'reject', with: action.with === 'tcp-reset' ? 'port-unreachable' : action.with };
      if (action.with !== 'tcp-reset') return one(statements, other, true);
      // Only TCP can be reset.
      const tcp: Match = { kind: 'field', field: 'protocol', ranges: [[TCP, TCP]] };
      return {
        tails: [
          ...sampled(statements),
          tail([tcp], always(statements), { kind: 'reject', with: 'tcp-reset' }),
          tail([], always(statements), other),
        ],
        ends: true,
        meters: [],
      };
    }
    case 'log':
      return one(log('log'), { kind: 'continue' }, false);
    case 'mark':
      return one(logged('mark'), { kind: 'continue' }, false, [{ kind: 'mark', mark: action.mark }]);
    case 'dscp': {
      const logs = logged('dscp');
      const written = ([4, 6] as const).map((family) =>
        tail([{ kind: 'family', family }], [...always(logs), { kind: 'dscp', family, dscp: action.dscp }], { kind: 'continue' }),
      );
      return { tails: [...sampled(logs), ...written], ends: false, meters: [] };
    }
    case 'police': {
      const over = audit ? log('audit deny') : logged('deny');
      const limit = { kind: 'limit', limit: limitOf(action.limit), over: true } as const;
      // What is sampled goes to a rule behind the limit, which alone decides: so all of it is logged or none.
      return { tails: [tail([], [limit, ...always(over)], audit ? { kind: 'continue' } : { kind: 'drop' })], ends: false, meters: [] };
    }
    case 'skip':
      return one(logged('skip'), { kind: 'return' }, true);
    case 'rate-limit': {
      // Nothing can be sampled between a limit and its verdict: what is allowed is not logged then.
      const under = always(logged('allow'));
      const over = audit ? log('audit deny') : logged('deny');
      const rest: RuleVerdict = audit ? { kind: 'continue' } : { kind: 'drop' };
      const { tails, meters } = limited(hook, rule, action.limit, under, tail([], always(over), rest));
      return { tails: [...tails.slice(0, -1), ...sampled(over), ...tails.slice(-1)], meters, ends: !audit };
    }
  }
}

function sampling({ every, perSecond }: LogSampling): RuleStatement[] {
  return [
    ...(every === undefined ? [] : [{ kind: 'sample' as const, every }]),
    ...(perSecond === undefined
      ? []
      : [{ kind: 'limit' as const, limit: { unit: 'packets' as const, rate: perSecond, burst: perSecond } }]),
  ];
}

function tail(matches: readonly Match[], statements: readonly RuleStatement[], verdict: RuleVerdict): Tail {
  return { matches, ...(statements.length === 0 ? {} : { statements }), verdict };
}

/** Under the rate a packet is accepted; over it `over` has it. */
function limited(hook: HookRules, rule: Rule, rate: RateLimit, under: readonly RuleStatement[], over: Tail): Omit<Effect, 'ends'> {
  const limit = limitOf(rate);
  const accept: RuleVerdict = { kind: 'accept' };
  const shared = tail([], [{ kind: 'limit', limit }, ...under], accept);
  const { per } = rate;
  if (per === 'rule') return { tails: [shared, over], meters: [] };
  // No policy has it here: only where a connection is asked for is the caller known.
  if (per === 'process' || per === 'cgroup') throw new RangeError(`nf_tables has no limit per ${per}`);
  const refill = Math.ceil(rate.burst / Math.max(1, rate.rate));
  const timeout = Math.min(METER_TIMEOUT.most, Math.max(METER_TIMEOUT.least, refill));
  const meters = ([4, 6] as const).map((family): MeterImage => {
    // Buckets keep the rate that they were made with: another rate is another set.
    const key = digest(JSON.stringify([hook.hook, hook.priority, rule.ref, rate, family])).slice(0, 12);
    return { name: `${slugOf(rule.ref)}_v${family}_${key}`, family, size: METER_SIZE, timeout };
  });
  const own = meters.flatMap(({ name: set, family }): Tail[] => {
    const bits = rate.prefix?.[family === 4 ? 'ip4' : 'ip6'];
    const key = { set, family, side: per, ...(bits === undefined ? {} : { bits }) };
    return [
      tail([], [{ kind: 'meter', ...key, limit }, ...under], accept),
      // There was no room for a bucket of its own. Finding an element would run its limit, so it is asked whether there is none.
      { ...shared, matches: [{ kind: 'member', ...key, absent: true }] },
    ];
  });
  return { tails: [...own, over], meters };
}

/** A bucket of the kernel holds the burst for packets, and for bytes the burst and the rate of a second: there it is never smaller than the rate. */
function limitOf({ unit, rate, burst }: RateLimit): LimitImage {
  return { unit, rate, burst: unit === 'packets' ? burst : Math.max(1, burst - rate) };
}
