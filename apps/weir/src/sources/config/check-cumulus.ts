import { type IpSet, ipSetOfPrefixes } from '@weir/filter/ir';
import { type Prefix, parsePrefix } from '@weir/wire/inet';
import { compileCumulus } from '../../compile/cumulus/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { LocateExpression } from './check-enforceable.ts';

/** Members that any set may have, so that what a rule says of it can be looked at. */
const SOME: IpSet = ipSetOfPrefixes(['192.0.2.0/24', '2001:db8::/32'].map(documented));

/** What an ACL file cannot say of the rules of a configuration: each at the part of the expression that asks for it where `locate` knows it, else at the rule. */
export function checkCumulusRules(config: Config, now: number, locate: LocateExpression): readonly Diagnostic[] {
  const { cumulus } = config;
  if (!cumulus) return [];
  const names = new Set(config.sets.map((set) => set.name));
  const { refusals } = compileCumulus(judgement(config, now), cumulus, (set) => (names.has(set) ? SOME : undefined));
  const found = new Map<string, Diagnostic>();
  for (const { rule, provenance, message, span: within } of refusals) {
    const written = rule !== undefined && within ? locate(rule, within) : undefined;
    const span = written ?? (provenance?.kind === 'file' ? provenance.span : cumulus.span);
    const named = provenance?.kind === 'file' || rule === undefined ? message : `${rule}: ${message}`;
    found.set(`${span.file}:${span.line}:${span.column} ${named}`, { severity: 'error', code: 'E052', message: named, span });
  }
  return [...found.values()];
}

function documented(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.prefix;
}
