import { decodeExpr, type Expr, ExprFormatError } from '@weir/filter/ir';
import { BOOL, type Hook, PACKET_SCHEME, type Scheme } from '@weir/filter/scheme';
import * as z from 'zod/mini';
import { contentName } from '../../compile/nft/content-name.ts';
import { parseCounted } from '../../model/counted.ts';
import type { UserProgram } from '../../model/match-program.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import type { PolicyAction } from '../../model/rule.ts';
import { userProgramField } from '../../model/user-program.ts';
import { parseTime } from './leaves.ts';
import { MAX_POLICY_BYTES, MAX_POLICY_FILES, MAX_RULES } from './load.ts';
import { POLICY_FORMAT } from './print-json.ts';
import { ACTIONS, REJECTIONS } from './raw.ts';

/** JSON that is no compiled policy. `path` leads to what is wrong: `rules[2].ir.items[0]`. */
export class PolicyFormatError extends Error {
  readonly code = 'POLICY_FORMAT';
  readonly path: string;

  constructor(message: string, path: string) {
    super(`${path === '' ? 'policy' : path}: ${message}`);
    this.name = 'PolicyFormatError';
    this.path = path;
  }
}

const HOOKS: readonly [Hook, ...Hook[]] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc', 'connect'];
const text = z.string().check(z.maxLength(MAX_POLICY_BYTES));
const name = z.string().check(z.minLength(1), z.maxLength(4096));
const count = (min: number, max: number): z.ZodMiniNumber => z.number().check(z.int(), z.gte(min), z.lte(max));
const u32 = z.nullable(count(0, 0xffffffff));
const texts = z.array(text).check(z.maxLength(1_000_000));
const ports = z.array(z.union([count(0, 65535), text])).check(z.maxLength(1_000_000));
const source = z.object({ file: name, line: count(1, 2 ** 31), column: count(1, 2 ** 31), length: count(1, 2 ** 31) });
const rule = z.object({
  name,
  ref: name,
  description: z.nullable(text),
  hooks: z.array(z.enum(HOOKS)).check(z.minLength(1), z.maxLength(HOOKS.length)),
  priority: count(0, 65535),
  source_cidrs: texts,
  destination_cidrs: texts,
  source_ports: ports,
  destination_ports: ports,
  protocol: name,
  in_interface: texts,
  out_interface: texts,
  state: texts,
  expression: z.nullable(text),
  bpf: z.optional(z.nullable(z.union([z.object({ path: name }), z.object({ file: name, program: name, object: text })]))),
  action: z.enum(ACTIONS),
  rate_limit_pps: u32,
  rate_limit_bps: z.nullable(count(1, 2 ** 40)),
  rate_limit_burst: u32,
  rate_limit_per: z.nullable(name),
  reject_with: z.nullable(z.enum(REJECTIONS)),
  mark: u32,
  skip_to: z.nullable(name),
  log: z.boolean(),
  log_sample: z.optional(count(1, 0xffffffff)),
  log_rate: z.optional(count(1, 0xffffffff)),
  audit: z.boolean(),
  enabled: z.boolean(),
  until: z.nullable(name),
  source,
  text,
  ir: z.unknown(),
});
const policy = z.object({
  format_version: z.literal(POLICY_FORMAT),
  default_action: z.enum(['allow', 'deny']),
  default_audit: z.boolean(),
  default_source: z.nullable(source),
  default_action_at: z.optional(z.partialRecord(z.enum(HOOKS), z.object({ action: z.enum(['allow', 'deny']), source }))),
  generated_at: z.nullable(name),
  files: z.array(name).check(z.maxLength(MAX_POLICY_FILES)),
  rules: z.array(rule).check(z.maxLength(MAX_RULES)),
});

/**
 * A policy from its compiled form. Keys that are not known are passed over. PolicyFormatError for what is damaged: shapes, bounds and expressions are checked;
 * that the texts of a rule say what its typed form says is not.
 */
export function policyFromJson(json: unknown): Policy {
  const read = z.safeParse(policy, json);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new PolicyFormatError(issue?.message ?? 'not a compiled policy', (issue?.path ?? []).reduce(joinPath, ''));
  }
  const p = read.data;
  return {
    files: p.files,
    defaultAction: p.default_action,
    defaultSpan: p.default_source ?? undefined,
    ...defaultsOf(p.default_action_at),
    defaultAudit: p.default_audit,
    generatedAt: p.generated_at ?? undefined,
    rules: p.rules.map((r, i) => readRule(r, `rules[${i}]`)),
  };
}

function defaultsOf(read: z.infer<typeof policy>['default_action_at']): Pick<Policy, 'defaultsAt'> {
  const entries = Object.entries(read ?? {}).map(([hook, { action, source: span }]) => [hook, { action, span }] as const);
  return entries.length === 0 ? {} : { defaultsAt: Object.fromEntries(entries) };
}

function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? String(key) : `${path}.${String(key)}`;
}

type JsonRule = z.infer<typeof rule>;

function readRule(r: JsonRule, path: string): PolicyRule {
  const program = readProgram(r.bpf);
  const until = r.until === null ? undefined : parseTime(r.until);
  if (r.until !== null && until === undefined) throw new PolicyFormatError('not a point in time', `${path}.until`);
  return {
    ref: r.ref,
    name: r.name,
    description: r.description ?? undefined,
    hooks: r.hooks,
    priority: r.priority,
    expression: readExpr(r.ir, path, program),
    text: r.text,
    ...(program ? { program } : {}),
    action: readAction(r, path),
    log: r.log,
    ...samplingOf(r),
    audit: r.audit,
    enabled: r.enabled,
    until,
    fields: {
      source_cidrs: r.source_cidrs,
      destination_cidrs: r.destination_cidrs,
      source_ports: r.source_ports.map(String),
      destination_ports: r.destination_ports.map(String),
      protocol: r.protocol,
      in_interface: r.in_interface,
      out_interface: r.out_interface,
      state: r.state,
      expression: r.expression ?? undefined,
    },
    span: r.source,
  };
}

function readProgram(read: JsonRule['bpf']): UserProgram | undefined {
  if (!read) return undefined;
  if ('path' in read) return { kind: 'pinned', path: read.path };
  return { kind: 'object', name: contentName(read.object, read.program), ...read };
}

/** The scheme, in which what a rule's own program says is a field. */
function schemeWith(program: UserProgram | undefined): Scheme {
  if (!program) return PACKET_SCHEME;
  const field = userProgramField(program);
  return { ...PACKET_SCHEME, fields: new Map([...PACKET_SCHEME.fields, [field, { name: field, type: BOOL, optional: true }]]) };
}

function samplingOf({ log_sample: every, log_rate: perSecond }: JsonRule): Pick<PolicyRule, 'sampling'> {
  if (every === undefined && perSecond === undefined) return {};
  return { sampling: { ...(every === undefined ? {} : { every }), ...(perSecond === undefined ? {} : { perSecond }) } };
}

function readExpr(ir: unknown, path: string, program: UserProgram | undefined): Expr {
  try {
    return decodeExpr(ir, schemeWith(program));
  } catch (error) {
    if (!(error instanceof ExprFormatError)) throw error;
    throw new PolicyFormatError(error.message, error.path === '' ? `${path}.ir` : `${path}.ir.${error.path}`);
  }
}

function readAction(r: JsonRule, path: string): PolicyAction {
  const needed = (key: string): never => {
    throw new PolicyFormatError(`action ${r.action} needs it`, `${path}.${key}`);
  };
  switch (r.action) {
    case 'allow':
    case 'deny':
    case 'log':
      return { kind: r.action };
    case 'reject':
      return { kind: 'reject', with: r.reject_with ?? needed('reject_with') };
    case 'rate_limit': {
      const unit = r.rate_limit_pps === null ? 'bytes' : 'packets';
      const rate = r.rate_limit_pps ?? r.rate_limit_bps ?? needed('rate_limit_pps');
      const counted = parseCounted(r.rate_limit_per ?? needed('rate_limit_per'));
      if (!counted) throw new PolicyFormatError('not rule, source or destination', `${path}.rate_limit_per`);
      return { kind: 'rate-limit', limit: { unit, rate, burst: r.rate_limit_burst ?? needed('rate_limit_burst'), ...counted } };
    }
    case 'mark':
      return { kind: 'mark', mark: r.mark ?? needed('mark') };
    case 'skip':
      return { kind: 'skip', to: r.skip_to ?? undefined };
  }
}
