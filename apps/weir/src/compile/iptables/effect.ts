import type { Family } from '@weir/wire/inet';
import type { HookRules, LogSampling, RateLimit, Rule } from '../../model/rule.ts';
import { digest } from '../nft/fingerprint.ts';
import { label } from '../nft/policy/effect.ts';
import { unsayable } from './literal.ts';

/** What happens to a packet that a rule takes: one line after the other, up to one that ends it. */
export interface Effect {
  readonly steps: readonly Step[];
  /** The last step takes every packet that comes to it and keeps it. */
  readonly ends: boolean;
}

export interface Step {
  /** With a blank before each word; empty for every packet. */
  readonly match: string;
  readonly target: string;
  /** Steps instead of a target. */
  readonly inner?: readonly Step[];
}

export interface EffectOptions {
  readonly family: Family;
  /** nfnetlink_log group. */
  readonly group: number;
  /** Where a skip goes on: a chain. */
  readonly skipTo: (ref: string | undefined) => string;
}

/** NFLOG keeps prefixes of 63 bytes. */
const MOST_PREFIX = 63;
/** Addresses that have a bucket of their own; packets of others are dropped while there is no room. */
const METER_SIZE = 65_535;
/** Seconds that an idle address keeps its bucket. */
const METER_TIMEOUT = { least: 60, most: 3600 } as const;
/** Units in which the modules count, and what they take at most. */
const LIMIT = { units: 10_000, rate: 10_000, burst: 10_000 } as const;
const HASHLIMIT = { units: 1_000_000, rate: 1_000_000, burst: 1_000_000 } as const;

export function effectOf({ hook }: HookRules, rule: Rule, options: EffectOptions): Effect {
  const { action, audit } = rule;
  const log = (verdict: string): Step =>
    step(`-j NFLOG --nflog-group ${options.group} --nflog-prefix "${prefix(hook, rule.ref, verdict)}"`, sampleMatch(rule.sampling));
  const logged = (verdict: string): Step[] => (rule.log ? [log(verdict)] : []);
  const ends = (...steps: Step[]): Effect => ({ steps, ends: true });
  const goesOn = (...steps: Step[]): Effect => ({ steps, ends: false });
  switch (action.kind) {
    case 'allow':
      return ends(...logged('allow'), step('-j ACCEPT'));
    case 'deny':
      return audit ? goesOn(log('audit deny')) : ends(...logged('deny'), step('-j DROP'));
    case 'reject':
      if (audit) return goesOn(log('audit reject'));
      if (hook === 'prerouting') throw unsayable('reject at prerouting', undefined);
      return ends(...logged('reject'), ...rejections(action.with, options.family));
    case 'log':
      return goesOn(log('log'));
    case 'mark':
      return goesOn(...logged('mark'), step(`-j MARK --set-mark 0x${action.mark.toString(16)}`));
    case 'dscp':
      // The table mangle alone takes it.
      if (hook !== 'prerouting') throw unsayable(`a codepoint at ${hook}`, undefined);
      return goesOn(...logged('dscp'), step(`-j DSCP --set-dscp 0x${action.dscp.toString(16).padStart(2, '0')}`));
    case 'skip':
      return ends(...logged('skip'), step(`-g ${options.skipTo(action.to)}`));
    case 'rate-limit': {
      const under: Step = { ...step('-j ACCEPT', limitMatch(hook, rule.ref, action.limit, options.family)) };
      const limited = rule.log ? { ...under, target: '', inner: [log('allow'), step('-j ACCEPT')] } : under;
      return audit ? goesOn(limited, log('audit deny')) : ends(limited, ...logged('deny'), step('-j DROP'));
    }
    case 'police': {
      const over = hashlimit(hook, rule.ref, action.limit, '--hashlimit-above', options.family);
      if (audit && rule.sampling) throw unsayable('a sampled audit of a rate', undefined);
      if (audit) return goesOn({ ...log('audit deny'), match: over });
      return goesOn(rule.log ? { match: over, target: '', inner: [log('deny'), step('-j DROP')] } : step('-j DROP', over));
    }
  }
}

function step(target: string, match = ''): Step {
  return { match, target };
}

function prefix(hook: string, ref: string, verdict: string): string {
  const end = ` ${verdict}: `;
  return `${label(`weir ${hook} ${ref}`, MOST_PREFIX - end.length)}${end}`;
}

export function rejections(how: 'port-unreachable' | 'admin-prohibited' | 'tcp-reset', family: Family): Step[] {
  const names = family === 4 ? ['icmp-port-unreachable', 'icmp-admin-prohibited'] : ['icmp6-port-unreachable', 'icmp6-adm-prohibited'];
  const other = step(`-j REJECT --reject-with ${how === 'admin-prohibited' ? names[1] : names[0]}`);
  // Only TCP can be reset.
  return how === 'tcp-reset' ? [step('-j REJECT --reject-with tcp-reset', ' -p tcp'), other] : [other];
}

/** The packets that a rule logs. */
export function sampleMatch({ every, perSecond }: LogSampling = {}): string {
  if (perSecond !== undefined && !fits(LIMIT, perSecond, perSecond)) throw unsayable(`log_rate: ${perSecond}`, undefined);
  const nth = every === undefined || every === 1 ? '' : ` -m statistic --mode nth --every ${every} --packet 0`;
  return `${nth}${perSecond === undefined ? '' : ` -m limit --limit ${perSecond}/sec --limit-burst ${perSecond}`}`;
}

/** The packets under a limit. `apart`: where it stands in several lines, which have one bucket together. */
export function limitMatch(hook: string, ref: string, limit: RateLimit, family: Family, apart = false): string {
  const { unit, rate, burst, per } = limit;
  if (unit === 'packets' && per === 'rule' && !apart && fits(LIMIT, rate, burst))
    return ` -m limit --limit ${rate}/sec --limit-burst ${burst}`;
  return hashlimit(hook, ref, limit, '--hashlimit-upto', family);
}

/** The packets under a limit, or above it. */
export function hashlimit(
  hook: string,
  ref: string,
  limit: RateLimit,
  side: '--hashlimit-upto' | '--hashlimit-above',
  family: Family,
): string {
  const { unit, rate, burst, per } = limit;
  // It rounds bytes up to 16, and its burst is one of whole rates.
  if (unit === 'bytes') throw unsayable('a rate of bytes', undefined);
  if (!fits(HASHLIMIT, rate, burst)) throw unsayable(`a rate of ${rate} packets with a burst of ${burst}`, undefined);
  const name = `weir_${digest(JSON.stringify([hook, ref, limit])).slice(0, 10)}`;
  const idle = Math.min(METER_TIMEOUT.most, Math.max(METER_TIMEOUT.least, Math.ceil(burst / rate)));
  if (per === 'process' || per === 'cgroup') throw unsayable(`a rate limit per ${per}`, undefined);
  const end = per === 'source' ? 'src' : 'dst';
  const bits = limit.prefix?.[family === 4 ? 'ip4' : 'ip6'];
  const mask = bits === undefined ? '' : ` --hashlimit-${end}mask ${bits}`;
  const mode = per === 'rule' ? '' : ` --hashlimit-mode ${end}ip${mask} --hashlimit-htable-max ${METER_SIZE}`;
  return ` -m hashlimit ${side} ${rate}/sec --hashlimit-burst ${burst}${mode} --hashlimit-name ${name} --hashlimit-htable-expire ${idle * 1000}`;
}

/** A packet costs a whole number of units: rates for which that is wrong by more than one in a thousand are not said. */
function fits(module: { readonly units: number; readonly rate: number; readonly burst: number }, rate: number, burst: number): boolean {
  if (!Number.isInteger(rate) || rate < 1 || rate > module.rate || burst < 1 || burst > module.burst) return false;
  return Math.abs(module.units / Math.floor(module.units / rate) - rate) <= rate / 1000;
}
