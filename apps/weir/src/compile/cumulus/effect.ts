import type { Family } from '@weir/wire/inet';
import type { HookRules, Rule } from '../../model/rule.ts';
import { hashlimit, limitMatch, rejections, sampleMatch } from '../iptables/effect.ts';
import { type Match, ofProtocol } from '../iptables/match.ts';
import { unsayable } from './unsayable.ts';

/** What happens to a packet that a line of a rule matches: one step after the other, each a line of its own that asks for the same. */
export interface FlatEffect {
  readonly steps: readonly FlatStep[];
  /** The last step takes every packet that comes to it. Elsewhere packets go on, and come to lines of the rule that they match too. */
  readonly ends: boolean;
}

export interface FlatStep {
  /** Asked for as well. */
  readonly also: Match | undefined;
  /** With a blank before each word: what follows the match. */
  readonly match: string;
  readonly target: string;
}

/** LOG keeps prefixes of 29 bytes. */
const MOST_PREFIX = 29;

/** `lines`: of how many lines the rule is; what counts packets must count them together. Throws Unsayable. */
export function flatEffect({ hook }: HookRules, rule: Rule, family: Family, lines: number): FlatEffect {
  const { action, audit, sampling } = rule;
  const log = (verdict: string): FlatStep => {
    const match = sampleMatch(sampling);
    if (match !== '' && lines > 1) throw unsayable(`a sample of what ${lines} lines log`);
    return { also: undefined, match, target: `-j LOG --log-prefix ${prefix(rule.ref, verdict)}` };
  };
  const logged = (verdict: string): FlatStep[] => (rule.log ? [log(verdict)] : []);
  const ends = (...steps: FlatStep[]): FlatEffect => ({ steps, ends: true });
  const goesOn = (...steps: FlatStep[]): FlatEffect => ({ steps, ends: false });
  switch (action.kind) {
    case 'allow':
      return ends(...logged('allow'), step('-j ACCEPT'));
    case 'deny':
      return audit ? goesOn(log('audit')) : ends(...logged('deny'), step('-j DROP'));
    case 'reject':
      if (audit) return goesOn(log('audit'));
      if (hook === 'prerouting') throw unsayable('reject at prerouting');
      return ends(...logged('reject'), ...rejections(action.with, family).map(({ match, target }) => rejectStep(match, target)));
    case 'log':
      return goesOn(log('log'));
    case 'mark':
      return goesOn(...logged('mark'), step(`-j MARK --set-mark 0x${action.mark.toString(16)}`));
    case 'dscp':
      // The table mangle alone takes it, which is in front of the chains of the other hooks.
      if (hook !== 'prerouting') throw unsayable(`a codepoint at ${hook}`);
      return goesOn(...logged('dscp'), step(`-j DSCP --set-dscp 0x${action.dscp.toString(16).padStart(2, '0')}`));
    case 'skip':
      return goesOn(...logged('skip'));
    case 'rate-limit': {
      // What the limit lets through is counted once: so all are logged, and not by verdict.
      const under = step('-j ACCEPT', limitMatch(hook, rule.ref, action.limit, family, lines > 1));
      return audit ? goesOn(...logged('limit'), under, log('audit')) : ends(...logged('limit'), under, step('-j DROP'));
    }
    case 'police': {
      const over = hashlimit(hook, rule.ref, action.limit, '--hashlimit-above', family);
      if (audit) {
        if (sampling) throw unsayable('a sampled audit of a rate');
        return goesOn({ ...log('audit'), match: over });
      }
      return goesOn(...logged('limit'), step('-j DROP', over));
    }
  }
}

function step(target: string, match = ''): FlatStep {
  return { also: undefined, match, target };
}

/** The match of the other compiler's step is that of TCP, or none. */
function rejectStep(match: string, target: string): FlatStep {
  return { also: match === '' ? undefined : ofProtocol(6), match: '', target };
}

/** One word, so that it needs no quotes: `weir:web-1:deny: ` has its blank from the kernel. */
function prefix(ref: string, verdict: string): string {
  const plain = ref.replace(/[^A-Za-z0-9_.-]/g, '_');
  return `weir:${plain.slice(0, MOST_PREFIX - verdict.length - 7)}:${verdict}:`;
}
