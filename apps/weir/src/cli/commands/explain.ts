import { describePacket, Packet, type PacketContext } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { parseHex } from '@weir/wire/bytes';
import type { FlowSummary, MemberSummary } from '../../api/index.ts';
import { ruleLabel } from '../../compile/describe/index.ts';
import { FLOW_REF } from '../../model/flow.ts';
import { loadConfig, textFiles } from '../../sources/config/index.ts';
import { packetOf, parsePacketWords } from '../../sources/packets/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { type Considered, explainPacket, type HookExplanation, waysAt, waysThrough } from '../explain/explain-packet.ts';
import { KnownFlows } from '../explain/known-flows.ts';
import { isIp, KnownMembers, type Members } from '../explain/known-members.ts';
import { loadScopes } from '../explain/load-rules.ts';
import { readCapture } from '../explain/read-capture.ts';
import { type ExplainScope, explainScopes } from '../explain/scopes.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { actionText, announcedBy, askedFor, isFlowsEnd } from '../render/flow-rule.ts';
import type { Palette } from '../render/paint.ts';
import { ruleJson, rulePlace } from '../render/rule.ts';
import { plural } from '../render/units.ts';
import { renderWhy } from './sets.ts';

export interface ExplainOptions extends ViewOptions {
  /** Policy files or a configuration; without one the rules are those that the daemon enforces. */
  readonly files: readonly string[];
  /** Files of flow rules, with `files`. */
  readonly flows: readonly string[];
  readonly hex: string | undefined;
  readonly pcap: string | undefined;
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  readonly state: PacketContext['state'];
  readonly hook: Hook | undefined;
  readonly expect: 'allow' | 'deny' | undefined;
  /** Only in its namespace; else in the daemon's own and in that of every tenant. */
  readonly tenant: string | undefined;
}

/** Packets of a capture that are explained; weir replay takes all. */
const MAX_PACKETS = 100;
/** Chains before it are those of flow rules. */
const BEFORE_DEFRAGMENTATION = -400;

interface Explained {
  readonly packet: Packet;
  readonly places: readonly Place[];
}

/** What happens to a packet in one network namespace. */
interface Place {
  readonly tenant: string | undefined;
  readonly members: Members;
  readonly ways: readonly (readonly HookExplanation[])[];
  readonly flows: KnownFlows;
  /** The interface of the packet that the tenant does not have: it does not come there. */
  readonly elsewhere: string | undefined;
}

/** Which rule decides about packets, every rule before it and why not, and which route put the set's member there. */
export async function explain(words: readonly string[], options: ExplainOptions, io: Io): Promise<ExitCode> {
  const packets = readPackets(words, options, io);
  if (options.files.length === 0 && options.flows.length > 0) throw new CliError(EXIT.usage, '--flows goes with --file');
  if (options.files.length > 0) {
    const hooks = loadScopes(options.files, options.config, options.tenant, options.flows, io, options.palette);
    return run(hooks, packets, { members: new KnownMembers(undefined), flows: new KnownFlows([]) }, options, io);
  }
  return withDaemon(options, async (client) => {
    const inForce = await client.call('generation', {});
    const { usable: config } = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
    if (!config) throw new CliError(EXIT.error, 'what is in force cannot be read by this version');
    for (const { name } of config.faultyTenants)
      io.err(`tenant ${name}: not explained: its files have mistakes, and it is as it was before\n`);
    const known = { members: new KnownMembers(client), flows: await KnownFlows.of(client) };
    const code = await run(explainScopes(config, options.tenant, Date.now(), known.flows.list), packets, known, options, io);
    const { foreign_chains: foreign } = (await client.call('status', {})).kernel;
    for (const f of foreign)
      io.err(
        `not modelled: the chain ${escapeControl(`${f.family} ${f.table} ${f.chain}`)} of somebody else${f.tenant === undefined ? '' : ` in the namespace of the tenant ${f.tenant}`} at ${f.hook}, priority ${f.priority}\n`,
      );
    return code;
  });
}

async function run(
  scopes: readonly ExplainScope[],
  packets: readonly Packet[],
  known: { readonly members: KnownMembers; readonly flows: KnownFlows },
  options: ExplainOptions,
  io: Io,
): Promise<ExitCode> {
  let wrong = 0;
  const explained: Explained[] = [];
  for (const packet of packets) {
    await known.members.learn(packet);
    const places = scopes.map((scope) => explainIn(scope, packet, known.members.of(scope.tenant), known.flows, options.hook));
    explained.push({ packet, places });
  }
  for (const one of explained) if (options.expect !== undefined && verdictOf(one) !== options.expect) wrong++;
  if (options.output === 'json') await io.out(`${JSON.stringify({ format_version: 1, packets: explained.map(toJson) })}\n`);
  else for (const one of explained) await io.out(render(one, options.palette));
  if (wrong > 0)
    io.err(
      `${wrong === 1 && explained.length === 1 ? 'the packet is' : `${wrong} of ${explained.length} packets are`} not judged as expected (${options.expect})\n`,
    );
  return wrong > 0 ? EXIT.finding : EXIT.ok;
}

function explainIn(
  { tenant, interfaces, hooks, ebpf }: ExplainScope,
  packet: Packet,
  members: Members,
  flows: KnownFlows,
  hook: Hook | undefined,
): Place {
  const { iif, oif } = packet.context;
  const elsewhere = interfaces && [iif, oif].find((name) => name !== undefined && !interfaces.has(name));
  if (elsewhere !== undefined) return { tenant, members, flows, ways: [], elsewhere };
  const ways = hook === undefined ? waysThrough(hooks, packet.context, ebpf) : waysAt(hook, hooks, packet.context, ebpf);
  return { tenant, members, flows, ways: ways.map((way) => explainPacket(way, packet, members)), elsewhere };
}

/** A packet gets through when every hook of every way lets it, in every namespace. */
function verdictOf({ places }: Explained): 'allow' | 'deny' {
  return places.flatMap(({ ways }) => ways.flat()).every((one) => one.judgement.verdict === 'allow') ? 'allow' : 'deny';
}

function readPackets(words: readonly string[], options: ExplainOptions, io: Io): readonly Packet[] {
  const given = [words.length > 0, options.hex !== undefined, options.pcap !== undefined].filter(Boolean).length;
  if (given !== 1) throw new CliError(EXIT.usage, 'a packet is needed, once: in words, with --hex, or with --pcap');
  const { iif, oif, state } = options;
  const context: PacketContext = { iif, oif, state: state ?? 'new' };
  if (options.hex !== undefined) {
    return [Packet.fromNetwork(readHex(options.hex), context)];
  }
  if (options.pcap !== undefined) return readCapture(options.pcap, context, MAX_PACKETS, io);
  const parsed = parsePacketWords(words);
  if (!parsed.ok) throw new CliError(EXIT.usage, parsed.message);
  const { description, context: own } = parsed.packet;
  return [packetOf({ description, context: { ...own, iif: own.iif ?? iif, oif: own.oif ?? oif, state: state ?? own.state } })];
}

function readHex(text: string): Uint8Array {
  try {
    return parseHex(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CliError(EXIT.usage, '--hex takes pairs of hexadecimal digits, from the IP header on');
  }
}

/** Members of the named sets that the deciding rule's tests found, with the route that put each there. */
function membersFound({ trace }: Considered, members: Members): readonly { readonly set: string; readonly member: MemberSummary }[] {
  return trace.because.flatMap((step) => {
    const { test } = step.literal;
    if (test.kind !== 'list' || !step.passed || step.value === undefined || !isIp(step.value)) return [];
    const member = members.member(test.list, step.value);
    return member ? [{ set: test.list, member }] : [];
  });
}

function render(one: Explained, palette: Palette): string {
  const lines = [palette.bold(escapeControl(describePacket(one.packet)))];
  const several = one.places.some(({ tenant }) => tenant !== undefined);
  for (const place of one.places) {
    const { tenant, ways, elsewhere } = place;
    if (several) lines.push(palette.bold(tenant === undefined ? "the daemon's own namespace:" : `tenant ${tenant}:`));
    for (const at of ways.flat()) lines.push(...renderHook(at, place, palette));
    if (elsewhere !== undefined) lines.push(`it does not come here: ${escapeControl(elsewhere)} is not an interface of the tenant`);
    else if (ways.length === 0) lines.push('no rules at the hooks that it crosses');
  }
  return lines.map((line) => `${line}\n`).join('');
}

function renderHook(
  { hook, priority, direction, judgement: found, considered, passed }: HookExplanation,
  place: Place,
  palette: Palette,
): string[] {
  const title = priority < BEFORE_DEFRAGMENTATION ? `${hook}, flow rules` : `${hook}${direction === undefined ? '' : ` ${direction}`}`;
  // Several rules may be of one announcement, which is told of once.
  const told = new Set<FlowSummary>();
  const rules = considered.map((one) => {
    if (isFlowsEnd(one.rule)) return [];
    const flow = one.matches ? place.flows.of(one.rule) : undefined;
    const who =
      flow && !told.has(flow)
        ? [`      ${escapeControl(flow.flow)}`, `      ${escapeControl(`${askedFor(flow)}, ${announcedBy(flow, Date.now())}`)}`]
        : [];
    if (flow) told.add(flow);
    return [...renderRule(one, one.rule === found.rule, place.members, palette), ...who];
  });
  if (passed) rules.splice(passed.before, 0, [palette.dim(`  - ${plural(passed.count, 'flow rule')} that do not match: weir flow show`)]);
  const flowsEnd = found.rule?.ref.startsWith(FLOW_REF) === true && found.verdict === 'allow';
  const verdict = flowsEnd ? 'GOES ON' : found.verdict.toUpperCase();
  const by = flowsEnd ? ': no flow rule denies it' : found.rule ? ` BY ${escapeControl(ruleLabel(found.rule))}` : ': no rule decides';
  return [`${title}:`, ...rules.flat(), `  ${found.verdict === 'allow' ? palette.green(verdict) : palette.red(verdict)}${by}`];
}

function renderRule(considered: Considered, decides: boolean, members: Members, palette: Palette): string[] {
  const { rule, matches, why } = considered;
  const where = rulePlace(rule);
  const text = `${ruleLabel(rule)} ${actionText(rule)}${where === undefined ? '' : ` (${where})`}`;
  const reason = why.length > 0 ? `: ${why.join(', ')}` : '';
  if (!matches) return [palette.dim(`  - ${escapeControl(text + reason)}`)];
  const lines = [
    `  ${decides ? '>' : '+'} ${escapeControl(text + reason)}`,
    `      ${escapeControl(rule.text === '' ? 'every packet' : rule.text)}`,
  ];
  if (rule.action.kind === 'police') lines.push('      only what is over the rate is dropped: the packet is taken to be under it');
  for (const { set, member } of membersFound(considered, members))
    for (const one of member.why) lines.push(`      ${escapeControl(`${member.prefix} is in $${set}`)} ${renderWhy(one, Date.now())}`);
  return lines;
}

function toJson(one: Explained): unknown {
  const elsewhere = one.places.flatMap(({ tenant, elsewhere: name }) => (name === undefined ? [] : [{ tenant, interface: name }]));
  return {
    packet: describePacket(one.packet),
    verdict: verdictOf(one),
    hooks: one.places.flatMap(({ tenant, members, flows, ways }) =>
      ways.flat().map(({ hook, priority, direction, judgement: found, considered, passed }) => ({
        ...(tenant === undefined ? {} : { tenant }),
        hook,
        priority,
        ...(direction === undefined ? {} : { direction }),
        verdict: found.verdict,
        ...(found.rule ? { rule: ruleJson(found.rule) } : {}),
        effects: found.effects.map((effect) => ({ kind: effect.kind, rule: effect.rule.ref })),
        rules: considered.map((it) => ({
          ...ruleJson(it.rule),
          matches: it.matches,
          why: it.why,
          members: membersFound(it, members),
          ...(it.matches && flows.of(it.rule) ? { flow: flows.of(it.rule) } : {}),
        })),
        ...(passed ? { flow_rules_passed: passed.count } : {}),
      })),
    ),
    ...(elsewhere.length === 0 ? {} : { not_there: elsewhere }),
  };
}
