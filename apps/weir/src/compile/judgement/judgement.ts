import type { Expr } from '@weir/filter/ir';
import type { Hook } from '@weir/filter/scheme';
import { asn, ip4 } from '@weir/wire/inet';
import type { BgpConfig, Config } from '../../model/config.ts';
import { EBPF_HOOKS, isEbpfHook } from '../../model/ebpf.ts';
import type { Border, BorderAllow, Firewall } from '../../model/firewall.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import type { Provenance } from '../../model/provenance.ts';
import type { Action, HookRules, Rule, Stage } from '../../model/rule.ts';
import { addFlows } from '../flows/index.ts';
import { isActive } from './active-rules.ts';
import { type Draft, pathMtuDrafts, protectedDrafts } from './base.ts';
import { closedReplyDrafts } from './closed-replies.ts';
import { readExpression, type SetTypes } from './read-expression.ts';
import { all, inSet, ofFamily, onInterface, onPorts, some } from './write.ts';

/** What a policy is judged with where the configuration has no `firewall:`. */
export const DEFAULT_FIREWALL: Firewall = {
  table: 'weir',
  base: {
    loopback: true,
    established: true,
    neighbourDiscovery: true,
    multicastListener: true,
    pathMtu: true,
    dhcpClient: true,
    bgpPeers: true,
  },
  borders: [],
};

/** What a policy is judged with where there is no configuration. */
export const NO_PEERS: BgpConfig = { as: asn(64512), routerId: ip4(0xc0000201), hostname: undefined, listen: [], peers: [] };

/**
 * Priority of each hook's base chain: `filter`, and in prerouting `mangle`, where connections are already tracked and addresses are those of the wire. eBPF
 * hooks have none.
 */
const PRIORITY: Readonly<Record<Hook, number>> = { prerouting: -150, input: 0, forward: 0, output: 0, xdp: 0, tc: 0, connect: 0 };
const HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', ...EBPF_HOOKS];
const BUILTIN: Provenance = { kind: 'builtin' };
const EVERY_PACKET: Expr = { kind: 'constant', value: true };
/** Stages of one hook in the order in which they judge. The defaults of borders end their border, so they are of the policy's stage. */
const BASE_PRIORITY = 0;

/** What a configuration and its policy ask of packets. `now` (milliseconds since the epoch) decides which rules have expired. */
export type JudgementSource = Pick<Config, 'firewall' | 'sets' | 'bgp' | 'flowspec'> & {
  readonly policy?: Policy | undefined;
  /** Flow rules in force, in their order; only where they are to be judged. */
  readonly flows?: readonly ActiveFlow[] | undefined;
};

/**
 * Everything that is judged at each hook, in the order of judgement (DESIGN): protected traffic, deny sets, established and related, policy, allow sets, default.
 * Deterministic; hooks at which nothing is judged are left out.
 */
export function judgement(source: JudgementSource, now: number): HookRules[] {
  const firewall = source.firewall ?? DEFAULT_FIREWALL;
  const builder = new Builder(source, firewall);
  const hooks = HOOKS.flatMap((hook): HookRules[] => {
    const rules = builder.hook(hook, now);
    return rules.length === 0 ? [] : [{ hook, priority: PRIORITY[hook], rules }];
  });
  const { flowspec, flows = [] } = source;
  return flowspec && flows.length > 0 ? addFlows(hooks, flows, flowspec, builder.base(flowspec.at)) : hooks;
}

/** The hooks at which flow rules judge by themselves. */
export function flowHooks(source: JudgementSource): HookRules[] {
  const { firewall = DEFAULT_FIREWALL, flowspec, flows = [] } = source;
  if (!flowspec || flows.length === 0) return [];
  return addFlows([], flows, flowspec, baseRules(source, firewall, flowspec.at));
}

/** The hooks that nf_tables judges at. */
export function netfilterHooks(hooks: readonly HookRules[]): readonly HookRules[] {
  return hooks.filter(({ hook }) => !isEbpfHook(hook));
}

class Builder {
  readonly #source: JudgementSource;
  readonly #firewall: Firewall;
  readonly #types: SetTypes;
  /** The rules of the policy. */
  readonly #byHook = new Map<Hook, PolicyRule[]>();

  constructor(source: JudgementSource, firewall: Firewall) {
    this.#source = source;
    this.#firewall = firewall;
    this.#types = new Set(source.sets.map((set) => set.name));
    for (const rule of source.policy?.rules ?? []) {
      for (const hook of rule.hooks) {
        const known = this.#byHook.get(hook);
        if (!known) this.#byHook.set(hook, [rule]);
        else if (known.at(-1) !== rule) known.push(rule);
      }
    }
  }

  /** What this host needs to stay on its links and to speak with its peers. */
  base(hook: Hook): Rule[] {
    return baseRules(this.#source, this.#firewall, hook);
  }

  hook(hook: Hook, now: number): Rule[] {
    const { policy } = this.#source;
    const borders = this.#firewall.borders.filter((border) => hookOf(border) === hook);
    // A hook that only rules out of force name is judged all the same: what they let through is not open now.
    const order = this.#byHook.get(hook) ?? [];
    const judged = order.length > 0;
    const mine = order.filter((rule) => isActive(rule, now));
    const judges = borders.length > 0 || judged;
    const rules: Rule[] = [];
    if (judges) rules.push(...this.base(hook));
    rules.push(...this.#closedReplies(hook));
    for (const border of borders) rules.push(...this.#denials(border));
    if (judges && keepsEstablished(hook, policy)) rules.push(...this.#established(borders, judged));
    const after = borders.flatMap((border) => this.#allowances(border));
    if (policy && judged) after.push(defaultRule(policy, hook));
    const active = new Set(mine.some(({ action }) => action.kind === 'skip') ? mine.map((rule) => rule.ref) : []);
    for (const rule of mine) {
      const skips: Action | undefined =
        rule.action.kind === 'skip' ? { kind: 'skip', to: skipTarget(rule.action.to, order, active) ?? after[0]?.ref } : undefined;
      rules.push(judgedRule(rule, skips));
    }
    return [...rules, ...after];
  }

  #builtin(stage: Stage, drafts: readonly Draft[]): Rule[] {
    return builtinRules(stage, drafts, this.#types);
  }

  #rule(stage: Stage, ref: string, draft: Draft, action: 'allow' | 'deny', provenance: Provenance): Rule {
    return ruleOf(stage, ref, draft, action, provenance, this.#types);
  }

  #closedReplies(hook: Hook): Rule[] {
    const back = hook === 'forward' || hook === 'output' ? hook : undefined;
    return this.#firewall.borders
      .filter((border) => (border.to === 'local' ? 'output' : 'forward') === back)
      .flatMap((border) =>
        closedReplyDrafts(border, this.#source.sets).map((draft, i) =>
          this.#rule('deny', `border:${border.name}:cut:${i}`, draft, 'deny', { kind: 'file', span: border.span }),
        ),
      );
  }

  #denials(border: Border): Rule[] {
    return border.deny.map((deny) =>
      this.#rule(
        'deny',
        `border:${border.name}:deny:${deny.set}`,
        { name: `deny ${deny.set}`, text: all(scope(border), inSet('src', deny.set)) },
        'deny',
        { kind: 'file', span: deny.span },
      ),
    );
  }

  #established(borders: readonly Border[], policy: boolean): Rule[] {
    const { base } = this.#firewall;
    const known = some('ct.established', 'ct.related');
    const rules: Rule[] = [];
    const mtu = pathMtuDrafts(base);
    // What a border says of its traffic stands above what holds of all of the hook's.
    const apart = borders.filter((border) => !border.established).map((border) => `not (${scope(border)})`);
    if (policy && base.established) rules.push(...this.#builtin('established', [{ name: 'established', text: all(known, ...apart) }]));
    if (policy) rules.push(...mtu.map((draft, i) => this.#rule('established', `mtu:${i}`, draft, 'allow', BUILTIN)));
    for (const border of borders) {
      const from: Provenance = { kind: 'file', span: border.span };
      const ref = `border:${border.name}`;
      if (border.established && base.established && (!policy || apart.length > 0))
        rules.push(
          this.#rule('established', `${ref}:established`, { name: 'established', text: all(scope(border), known) }, 'allow', from),
        );
      if (!policy && border.default === 'drop')
        rules.push(
          ...mtu.map((draft, i) =>
            this.#rule('established', `${ref}:mtu:${i}`, { name: draft.name, text: all(scope(border), draft.text) }, 'allow', from),
          ),
        );
    }
    return rules;
  }

  #allowances(border: Border): Rule[] {
    const ref = `border:${border.name}`;
    const allowed = border.allow.map((allow, i) =>
      this.#rule(
        'policy',
        `${ref}:allow:${i}`,
        { name: allowName(allow), text: all(scope(border), inSet('dst', allow.set), service(allow)) },
        'allow',
        { kind: 'file', span: allow.span },
      ),
    );
    const last = this.#rule(
      'default',
      `${ref}:default`,
      { name: `default ${border.name}`, text: scope(border) },
      border.default === 'drop' ? 'deny' : 'allow',
      { kind: 'file', span: border.span },
    );
    return [...allowed, last];
  }
}

/** What this host needs to stay on its links and to speak with its peers. */
function baseRules({ bgp, sets }: JudgementSource, { base }: Firewall, hook: Hook): Rule[] {
  return builtinRules('protected', protectedDrafts(hook, base, bgp), new Set(sets.map((set) => set.name)));
}

function builtinRules(stage: Stage, drafts: readonly Draft[], types: SetTypes): Rule[] {
  return drafts.map((draft, i) => ruleOf(stage, `${stage}:${i}`, draft, 'allow', BUILTIN, types));
}

function ruleOf(stage: Stage, ref: string, draft: Draft, action: 'allow' | 'deny', provenance: Provenance, types: SetTypes): Rule {
  return {
    ref,
    name: draft.name,
    stage,
    priority: BASE_PRIORITY,
    expression: readExpression(draft.text, types),
    text: draft.text,
    action: { kind: action },
    log: false,
    audit: false,
    provenance,
  };
}

/** Rules of policies as they are judged, where that is up to them alone: those that stay from one policy to the next are the same objects. */
const JUDGED = new WeakMap<PolicyRule, Rule>();

/** A rule of a policy. `skips`: what its action comes to here. */
function judgedRule(from: PolicyRule, skips: Action | undefined): Rule {
  const known = skips ? undefined : JUDGED.get(from);
  if (known) return known;
  const { ref, name, priority, expression, text, action, log, sampling, program, audit, span } = from;
  const rule: Rule = {
    ref,
    name,
    stage: 'policy',
    priority,
    expression,
    text,
    action: skips ?? action,
    log,
    ...(sampling ? { sampling } : {}),
    ...(program ? { program } : {}),
    audit,
    provenance: { kind: 'file', span },
  };
  if (!skips) JUDGED.set(from, rule);
  return rule;
}

/** Where a skip goes on: at its target, or at the first rule in force after it; undefined: behind the policy's rules. */
function skipTarget(to: string | undefined, order: readonly PolicyRule[], active: ReadonlySet<string>): string | undefined {
  const place = to === undefined ? -1 : order.findIndex((rule) => rule.ref === to);
  return place < 0 ? undefined : order.slice(place).find((rule) => active.has(rule.ref))?.ref;
}

/**
 * Whether replies and errors are let through before the policy. At the hooks of eBPF programs only a default deny asks for it: without one nothing but what a rule denies is cut off, and what
 * is denied there is to be dropped as early as it can be, without a look at the table of connections. What a process asks for is never established.
 */
function keepsEstablished(hook: Hook, policy: Policy | undefined): boolean {
  return !isEbpfHook(hook) || (hook !== 'connect' && policy !== undefined && defaultAction(policy, hook) === 'deny');
}

function defaultAction(policy: Policy, hook: Hook): 'allow' | 'deny' {
  return policy.defaultsAt?.[hook]?.action ?? policy.defaultAction;
}

function defaultRule(policy: Policy, hook: Hook): Rule {
  const span = policy.defaultsAt?.[hook]?.span ?? policy.defaultSpan;
  return {
    ref: '<default>',
    name: '<default>',
    stage: 'default',
    priority: 65_535,
    expression: EVERY_PACKET,
    text: '',
    action: { kind: defaultAction(policy, hook) },
    log: false,
    audit: policy.defaultAudit,
    provenance: span ? { kind: 'file', span } : BUILTIN,
  };
}

function hookOf(border: Border): Hook {
  return border.to === 'local' ? 'input' : 'forward';
}

/** The traffic that a border is about. */
function scope(border: Border): string {
  const from = onInterface('iif', border.from);
  return border.to === 'local' ? from : all(from, onInterface('oif', border.to));
}

function service(allow: BorderAllow): string {
  switch (allow.protocol) {
    case 'any':
      return '';
    case 'icmp':
      return some(`(${all(ofFamily(4), 'ip.proto == "icmp"')})`, `(${all(ofFamily(6), 'ip.proto == "icmpv6"')})`);
    case 'tcp':
    case 'udp':
      return onPorts(allow.protocol, 'dst', allow.ports);
  }
}

/** nf_tables keeps a rule's name as its comment, of 127 bytes at most. */
const MAX_NAME = 127;

function allowName(allow: BorderAllow): string {
  const ports = allow.ports.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
  const name = `allow ${allow.set}${allow.protocol === 'any' ? '' : ` ${allow.protocol}`}${ports && ` ${ports}`}`;
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 3)}...`;
}
