import { encodeExpr, type Json } from '@weir/filter/ir';
import { printCounted } from '../../model/counted.ts';
import type { UserProgram } from '../../model/match-program.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import type { SourceSpan } from '../../model/provenance.ts';
import type { PolicyAction } from '../../model/rule.ts';
import type { ActionWord } from './raw.ts';

/** Version of the shape. Keys are only ever added under the same number. */
export const POLICY_FORMAT = 1;

/** Something that is judged before the rules of a policy: the base without which a host falls off the network, and what is established. */
export interface BeforePolicy {
  readonly hook: string;
  readonly name: string;
  readonly action: string;
  /** In the filter language. */
  readonly expression: string;
}

/**
 * A policy in its compiled form (B3): the keys of policy files, and for each rule its conditions as one expression, as text and in the typed form. What was
 * not given is null. `policyFromJson` reads it.
 */
export function policyToJson(policy: Policy, before: readonly BeforePolicy[] = []): Json {
  return {
    format_version: POLICY_FORMAT,
    default_action: policy.defaultAction,
    default_audit: policy.defaultAudit,
    default_source: policy.defaultSpan ? source(policy.defaultSpan) : null,
    default_action_at: Object.fromEntries(
      Object.entries(policy.defaultsAt ?? {}).map(([hook, { action, span }]) => [hook, { action, source: source(span) }]),
    ),
    generated_at: policy.generatedAt ?? null,
    files: policy.files,
    before_rules: before.map(({ hook, name, action, expression }) => ({ hook, name, action, expression })),
    rules: policy.rules.map(ruleToJson),
  };
}

function ruleToJson(rule: PolicyRule): Json {
  const { fields, action } = rule;
  const limit = action.kind === 'rate-limit' ? action.limit : undefined;
  return {
    name: rule.name,
    ref: rule.ref,
    description: rule.description ?? null,
    hooks: rule.hooks,
    priority: rule.priority,
    source_cidrs: fields.source_cidrs,
    destination_cidrs: fields.destination_cidrs,
    source_ports: fields.source_ports.map(port),
    destination_ports: fields.destination_ports.map(port),
    protocol: fields.protocol,
    in_interface: fields.in_interface,
    out_interface: fields.out_interface,
    state: fields.state,
    expression: fields.expression ?? null,
    bpf: programToJson(rule.program),
    action: actionWord(action),
    rate_limit_pps: limit?.unit === 'packets' ? limit.rate : null,
    rate_limit_bps: limit?.unit === 'bytes' ? limit.rate : null,
    rate_limit_burst: limit?.burst ?? null,
    rate_limit_per: limit ? printCounted(limit) : null,
    reject_with: action.kind === 'reject' ? action.with : null,
    mark: action.kind === 'mark' ? action.mark : null,
    skip_to: action.kind === 'skip' ? (action.to ?? null) : null,
    log: rule.log,
    ...(rule.sampling?.every === undefined ? {} : { log_sample: rule.sampling.every }),
    ...(rule.sampling?.perSecond === undefined ? {} : { log_rate: rule.sampling.perSecond }),
    audit: rule.audit,
    enabled: rule.enabled,
    until: rule.until === undefined ? null : new Date(rule.until).toISOString(),
    source: source(rule.span),
    text: rule.text,
    ir: encodeExpr(rule.expression),
  };
}

/** With the octets of an object (base64), so that it is whole by itself. */
function programToJson(program: UserProgram | undefined): Json {
  if (!program) return null;
  if (program.kind === 'pinned') return { path: program.path };
  const { file, object, program: name } = program;
  return { file, program: name, object };
}

/** The word of policy files for an action. */
function actionWord(action: PolicyAction): ActionWord {
  return action.kind === 'rate-limit' ? 'rate_limit' : action.kind;
}

/** A port alone is a number, as in the original's files. */
function port(text: string): Json {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function source({ file, line, column, length }: SourceSpan): Json {
  return { file, line, column, length };
}
