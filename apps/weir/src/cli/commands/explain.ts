import { describePacket, Packet, type PacketContext } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { parseHex } from '@weir/wire/bytes';
import type { MemberSummary } from '../../api/index.ts';
import { printAction, ruleLabel } from '../../compile/describe/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { loadConfig, textFiles } from '../../sources/config/index.ts';
import { packetOf, parsePacketWords } from '../../sources/packets/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { type Considered, explainPacket, type HookExplanation, waysThrough } from '../explain/explain-packet.ts';
import { isIp, KnownMembers } from '../explain/known-members.ts';
import { loadRules } from '../explain/load-rules.ts';
import { readCapture } from '../explain/read-capture.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { renderWhy } from './sets.ts';

export interface ExplainOptions extends ViewOptions {
  /** Policy files or a configuration; without one the rules are those that the daemon enforces. */
  readonly files: readonly string[];
  readonly hex: string | undefined;
  readonly pcap: string | undefined;
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  readonly state: PacketContext['state'];
  readonly hook: Hook | undefined;
  readonly expect: 'allow' | 'deny' | undefined;
}

/** Packets of a capture that are explained; weir replay takes all. */
const MAX_PACKETS = 100;

interface Explained {
  readonly packet: Packet;
  readonly ways: readonly (readonly HookExplanation[])[];
}

/** Which rule decides about packets, every rule before it and why not, and which route put the set's member there. */
export async function explain(words: readonly string[], options: ExplainOptions, io: Io): Promise<ExitCode> {
  const packets = readPackets(words, options, io);
  if (options.files.length > 0) {
    const hooks = loadRules(options.files, options.config, io, options.palette);
    return run(hooks, packets, new KnownMembers(undefined), options, io);
  }
  return withDaemon(options, async (client) => {
    const inForce = await client.call('generation', {});
    const { config } = loadConfig(inForce.file, textFiles(new Map(Object.entries(inForce.texts))));
    if (!config) throw new CliError(EXIT.error, 'what is in force cannot be read by this version');
    const code = await run(judgement(config, Date.now()), packets, new KnownMembers(client), options, io);
    const { foreign_chains: foreign } = (await client.call('status', {})).kernel;
    for (const f of foreign)
      io.err(
        `not modelled: the chain ${escapeControl(`${f.family} ${f.table} ${f.chain}`)} of somebody else at ${f.hook}, priority ${f.priority}\n`,
      );
    return code;
  });
}

async function run(
  hooks: readonly HookRules[],
  packets: readonly Packet[],
  members: KnownMembers,
  options: ExplainOptions,
  io: Io,
): Promise<ExitCode> {
  const some = options.hook === undefined ? hooks : hooks.filter((one) => one.hook === options.hook);
  let wrong = 0;
  const explained: Explained[] = [];
  for (const packet of packets) {
    await members.learn(packet);
    const ways = options.hook === undefined ? waysThrough(some, packet.context) : some.map((one) => [one]);
    explained.push({ packet, ways: ways.map((way) => explainPacket(way, packet, members)) });
  }
  for (const one of explained) if (options.expect !== undefined && verdictOf(one) !== options.expect) wrong++;
  if (options.output === 'json')
    await io.out(`${JSON.stringify({ format_version: 1, packets: explained.map((one) => toJson(one, members)) })}\n`);
  else for (const one of explained) await io.out(render(one, members, options.palette));
  if (wrong > 0)
    io.err(
      `${wrong === 1 && explained.length === 1 ? 'the packet is' : `${wrong} of ${explained.length} packets are`} not judged as expected (${options.expect})\n`,
    );
  return wrong > 0 ? EXIT.finding : EXIT.ok;
}

/** A packet gets through when every hook of every way lets it. */
function verdictOf({ ways }: Explained): 'allow' | 'deny' {
  return ways.every((way) => way.every((one) => one.judgement.verdict === 'allow')) ? 'allow' : 'deny';
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
function membersFound({ trace }: Considered, members: KnownMembers): readonly { readonly set: string; readonly member: MemberSummary }[] {
  return trace.because.flatMap((step) => {
    const { test } = step.literal;
    if (test.kind !== 'list' || !step.passed || step.value === undefined || !isIp(step.value)) return [];
    const member = members.member(test.list, step.value);
    return member ? [{ set: test.list, member }] : [];
  });
}

function place(rule: Rule): string | undefined {
  const { provenance } = rule;
  return provenance.kind === 'file' ? `${provenance.span.file}:${provenance.span.line}` : undefined;
}

function render(one: Explained, members: KnownMembers, palette: Palette): string {
  const lines = [palette.bold(escapeControl(describePacket(one.packet)))];
  for (const way of one.ways) {
    for (const { hook, judgement: found, considered } of way) {
      lines.push(`${hook}:`);
      for (const rule of considered) lines.push(...renderRule(rule, rule.rule === found.rule, members, palette));
      const verdict = found.verdict.toUpperCase();
      const by = found.rule ? ` BY ${escapeControl(ruleLabel(found.rule))}` : ': no rule decides';
      lines.push(`  ${found.verdict === 'allow' ? palette.green(verdict) : palette.red(verdict)}${by}`);
    }
  }
  if (one.ways.length === 0) lines.push('no rules at the hooks that it crosses');
  return lines.map((line) => `${line}\n`).join('');
}

function renderRule(considered: Considered, decides: boolean, members: KnownMembers, palette: Palette): string[] {
  const { rule, matches, why } = considered;
  const where = place(rule);
  const text = `${ruleLabel(rule)} ${printAction(rule.action)}${where === undefined ? '' : ` (${where})`}`;
  const reason = why.length > 0 ? `: ${why.join(', ')}` : '';
  if (!matches) return [palette.dim(`  - ${escapeControl(text + reason)}`)];
  const lines = [
    `  ${decides ? '>' : '+'} ${escapeControl(text + reason)}`,
    `      ${escapeControl(rule.text === '' ? 'every packet' : rule.text)}`,
  ];
  for (const { set, member } of membersFound(considered, members))
    for (const one of member.why) lines.push(`      ${escapeControl(`${member.prefix} is in $${set}`)} ${renderWhy(one, Date.now())}`);
  return lines;
}

function toJson(one: Explained, members: KnownMembers): unknown {
  return {
    packet: describePacket(one.packet),
    verdict: verdictOf(one),
    hooks: one.ways.flat().map(({ hook, judgement: found, considered }) => ({
      hook,
      verdict: found.verdict,
      ...(found.rule ? { rule: ruleJson(found.rule) } : {}),
      effects: found.effects.map((effect) => ({ kind: effect.kind, rule: effect.rule.ref })),
      rules: considered.map((it) => ({ ...ruleJson(it.rule), matches: it.matches, why: it.why, members: membersFound(it, members) })),
    })),
  };
}

function ruleJson(rule: Rule): Record<string, unknown> {
  return {
    ref: rule.ref,
    name: rule.name,
    stage: rule.stage,
    priority: rule.priority,
    action: printAction(rule.action),
    expression: rule.text,
    source: place(rule),
  };
}
