import type { Hook } from '@weir/filter/scheme';
import { printPrefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';
import type { PolicyFields, PolicyRule } from '../../model/policy.ts';
import type { Files } from '../yaml/files.ts';
import type { Item, Table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import { buildAction } from './actions.ts';
import { checkHooks, HOOKS } from './check-hooks.ts';
import { checkMeaning } from './check-meaning.ts';
import { all, type Condition, fieldConditions, hasPorts, programCondition } from './conditions.ts';
import { readExpression } from './expression.ts';
import type { Lists } from './lists.ts';
import type { OrList, RawRule, ReadRule } from './raw.ts';
import { buildSampling } from './sampling.ts';
import type { PolicyTables } from './tables.ts';
import { readUserProgram } from './user-program.ts';

/** A rule, and where its keys are written. */
export interface BuiltRule {
  readonly rule: PolicyRule;
  readonly table: Table<RawRule>;
  /** Nothing in it is a mistake: what it comes to can be judged. */
  readonly sound: boolean;
}

/** What rules are built with. */
export interface RuleContext {
  readonly lists: Lists;
  readonly tables: PolicyTables;
  /** The file that the rule is in. */
  readonly file: string;
  readonly system: Files;
  /** The file that the rule is in only audits. */
  readonly audit: boolean;
  readonly now: number;
  readonly refuses: RefuseHook | undefined;
  readonly report: Report;
}

/** Why no rule may be at a hook, and what to do about it; undefined where rules may. */
export type RefuseHook = (hook: Hook) => { readonly message: string; readonly hint: string } | undefined;

/** A rule with its conditions as one expression; every mistake in it is reported. Undefined when it cannot be told what the rule is. */
export function buildRule(read: ReadRule, context: RuleContext): BuiltRule | undefined {
  const { table } = read;
  const r = table.get;
  const { lists, tables } = context;
  let { sound } = read;
  const report: Report = (code, place, message, hint) => {
    if (!code.startsWith('W')) sound = false;
    context.report(code, place, message, hint);
  };
  const hooks = buildHooks(r, context, report);
  const action = buildAction(table, report);
  const audit = r.audit || context.audit;
  const sampling = buildSampling(table, audit, report);
  checkFields(table, read.sound, report);
  checkHooks(table, hooks, report);
  const conditions: Condition[] = fieldConditions(r, lists, report);
  const written =
    r.expression === undefined
      ? undefined
      : readExpression(r.expression, table.place('expression'), { hooks, protocol: r.protocol, lists, tables, report });
  if (written) conditions.push(conditions.length === 0 ? written : { ...written, text: written.open ? `(${written.text})` : written.text });
  const program = r.bpf && readUserProgram(r.bpf, table.place('bpf'), context.file, context.system, report);
  // Last: what the packet itself says is asked first.
  if (program) conditions.push(programCondition(program));
  const whole = all(
    conditions,
    () => sound && report('W011', table.place('name'), 'the conditions of this rule exclude each other, so it takes no packet'),
  );
  if (r.name === undefined || !action || hooks.length === 0 || (r.expression !== undefined && !written) || (r.bpf && !program))
    return undefined;
  const rule: PolicyRule = {
    ref: r.ref ?? r.name,
    name: r.name,
    description: r.description,
    hooks,
    priority: r.priority,
    expression: whole.expr,
    text: whole.text,
    ...(program ? { program } : {}),
    action,
    log: r.log,
    ...(sampling ? { sampling } : {}),
    audit,
    enabled: r.enabled,
    until: r.until,
    fields: buildFields(r),
    span: spanOf(table.place('name')),
  };
  const built = { rule, table, sound };
  if (sound) checkMeaning(built, context);
  return built;
}

function buildHooks(r: RawRule, { refuses }: RuleContext, report: Report): readonly Hook[] {
  if (r.hook.length === 0) return ['input'];
  for (const { value, place } of r.hook) {
    const refusal = refuses?.(value);
    if (refusal) report('E032', place, refusal.message, refusal.hint);
  }
  const given = new Set(r.hook.map((item) => item.value));
  return HOOKS.filter((hook) => given.has(hook));
}

/** Fields that say nothing together. */
function checkFields(table: Table<RawRule>, sound: boolean, report: Report): void {
  const r = table.get;
  for (const key of ['source_ports', 'destination_ports'] as const) {
    const given = r[key];
    if (given === undefined) continue;
    if (given.length > 0 && !hasPorts(r.protocol)) {
      report('E026', table.place(key), `the protocol ${r.protocol} has no ports`, 'write protocol: tcp, udp, sctp or any');
    } else if (sound && given.length === 0 && table.at[key]?.source.text[table.at[key].start] === '[' && hasPorts(r.protocol)) {
      report('W010', table.place(key), `an empty ${key} stands for every port`, `leave ${key} out`);
    }
  }
}

function buildFields(r: RawRule): PolicyFields {
  const show = <T>(items: readonly Item<OrList<T>>[] | undefined, print: (value: T) => string): readonly string[] =>
    (items ?? []).map(({ value }) => (value.kind === 'list' ? `$${value.name}` : print(value.value)));
  const ports = ({ from, to }: PortRange): string => (from === to ? String(from) : `${from}-${to}`);
  return {
    source_cidrs: show(r.source_cidrs, printPrefix),
    destination_cidrs: show(r.destination_cidrs, printPrefix),
    source_ports: show(r.source_ports, ports),
    destination_ports: show(r.destination_ports, ports),
    protocol: r.protocol,
    in_interface: show(r.in_interface, String),
    out_interface: show(r.out_interface, String),
    state: (r.state ?? []).map((item) => item.value),
    expression: r.expression,
  };
}
