import type {
  CumulusSummary,
  EbpfSummary,
  EventCounts,
  ExabgpSummary,
  FeedSummary,
  FlowStatus,
  LatencySummary,
  StatusAnswer,
  TenantSummary,
} from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { clientLines } from '../render/client-lines.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { ruleTitle, sumRules } from '../render/sum-rules.ts';
import { ago, humanDuration, plural } from '../render/units.ts';

/** Rules that are shown with their packets. */
const MOST_RULES = 20;

export async function status(options: ViewOptions, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('status', {}));
  await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderStatus(answer, options.palette));
  return EXIT.ok;
}

/** The daemon's state as a person reads it. */
export function renderStatus(s: StatusAnswer, p: Palette, now: number = Date.now()): string {
  const out: string[] = [];
  const row = (name: string, text: string): void => {
    out.push(`${p.bold(name.padEnd(8))} ${text}`);
  };
  row('weir', `${s.version}, up ${humanDuration(s.uptime_ms)}, pid ${s.pid}, ${Math.round(s.memory.rss / 1048576)} MB`);
  const failed = s.config.last_error === undefined ? '' : `; ${p.red('the last reload was refused')}`;
  row('config', `${escapeControl(s.config.file)}, loaded ${ago(s.config.loaded, now)} ago, ${plural(s.config.reloads, 'reload')}${failed}`);
  for (const line of s.config.last_error ?? []) out.push(`         ${escapeControl(line)}`);
  const peers = `${s.bgp.established} of ${s.bgp.peers} peers established`;
  const up = s.bgp.established === s.bgp.peers ? p.green(peers) : p.yellow(peers);
  row('bgp', `AS ${s.bgp.as}, router id ${s.bgp.router_id}; ${up}, ${s.bgp.converged} converged; ${plural(s.routes.kept, 'route')}`);
  for (const l of s.bgp.listen) {
    if (!l.ok) out.push(`         ${p.red(`cannot listen on ${escapeControl(l.address)}: ${escapeControl(l.message ?? 'unknown')}`)}`);
  }
  out.push(...clientLines(s.clients));
  if (s.networks) {
    const { tables, prefixes, journal, problems } = s.networks;
    row('tables', `${tables}, with ${plural(prefixes, 'network')}; ${Math.ceil((journal.changes + journal.snapshot) / 1024)} kB on disk`);
    for (const problem of problems) out.push(`         ${p.red(escapeControl(problem))}`);
  }
  if (s.exabgp) out.push(...exabgpLines(s.exabgp, p));
  if (s.feeds) row('feeds', feedsText(s.feeds, p));
  for (const { feed, failure } of s.feeds ?? [])
    if (failure)
      out.push(`         ${p.red(`${escapeControl(feed)} refused (${escapeControl(failure.code)})`)}: ${escapeControl(failure.message)}`);
  if (s.flows) row('flows', flowsText(s.flows, p));
  const members = s.sets.reduce((sum, set) => sum + set.members, 0);
  row('sets', `${s.sets.length}, with ${plural(members, 'member')}`);
  const k = s.kernel;
  const bad = k.failed_commits > 0 ? p.red(`${k.failed_commits} failed`) : '0 failed';
  row('kernel', `${plural(k.commits, 'commit')}, ${bad}, ${plural(k.repairs, 'repair')}, ${plural(k.elements_sent, 'element')} sent`);
  if (k.owned_table) {
    const flags = [...(k.owned_table.owner ? ['owner'] : []), ...(k.owned_table.persist ? ['persist'] : [])];
    row('table', `inet ${k.owned_table.name}${flags.length > 0 ? ` (${flags.join(', ')})` : ''}`);
  }
  if (k.ebpf) out.push(...ebpfLines(k.ebpf, k.rules, p));
  for (const t of s.tenants) out.push(...tenantLines(t, p));
  if (s.cumulus) out.push(...cumulusLines(s.cumulus, p, now));
  row('latency', `wire to kernel ${latency(s.latency.wire_to_kernel)}; commit ${latency(s.latency.commit)}`);
  if (s.events) out.push(...eventLines(s.events, p));
  out.push(...ruleLines(k.rules));
  for (const f of k.foreign_chains)
    out.push(
      `  not Weir's: ${f.tenant === undefined ? '' : `tenant ${f.tenant}: `}${escapeControl(`${f.family} ${f.table} ${f.chain}`)} at ${f.hook}, priority ${f.priority}: what it drops is dropped`,
    );
  for (const problem of k.problems) {
    out.push(
      `${p.red('problem')}  ${escapeControl(problemSubject(problem))}: ${escapeControl(problem.message)} (${problem.kind}, for ${ago(problem.since, now)})`,
    );
    for (const line of problem.remedy?.split('\n') ?? [])
      if (line !== '') out.push(`           ${escapeControl(line.replaceAll('\t', '  '))}`);
  }
  return out.map((line) => `${line}\n`).join('');
}

/** Lists that are pulled into tables. */
function feedsText(feeds: readonly FeedSummary[], p: Palette): string {
  const taken = feeds.filter(({ success, failure }) => success !== undefined && !failure).length;
  const text = `${taken} of ${feeds.length} as their lists are`;
  return `${taken === feeds.length ? p.green(text) : p.yellow(text)}, ${plural(
    feeds.reduce((sum, { members }) => sum + members, 0),
    'network',
  )}`;
}

/** Flow rules of peers, and of our own. */
function flowsText({ at, enforced, waiting, stale, refused, announced, of_sets: ofSets = 0 }: FlowStatus, p: Palette): string {
  const where = at === undefined ? 'not enforced here (flowspec is not configured)' : `${plural(enforced, 'rule')} enforced at ${at}`;
  const reasons = Object.entries(refused).filter(([, count]) => count > 0);
  const parts = [
    where,
    ...(ofSets > 0 ? [`${ofSets} of sets`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(stale > 0 ? [`${stale} stale`] : []),
    ...(reasons.length > 0
      ? [p.yellow(`refused: ${reasons.map(([reason, count]) => `${count} ${escapeControl(reason)}`).join(', ')}`)]
      : []),
    ...(announced > 0 ? [`${announced} announced`] : []),
  ];
  return parts.join('; ');
}

/** What ExaBGP hands over, and what of it could not be read. */
function exabgpLines(e: ExabgpSummary, p: Palette): string[] {
  const processes =
    e.processes === 0 ? p.red('no process is heard') : `${e.processes === 1 ? '1 process' : `${e.processes} processes`} heard`;
  const bad = e.bad_lines === 0 ? '' : `; ${p.red(`${plural(e.bad_lines, 'line')} could not be read`)}`;
  const unknown = e.unknown_neighbours === 0 ? '' : `; ${plural(e.unknown_neighbours, 'line')} about neighbours that are not configured`;
  const refused = e.refused_commands === 0 ? '' : `; ${plural(e.refused_commands, 'command')} refused`;
  const lines = [
    `${p.bold('exabgp'.padEnd(8))} ${processes}, ${plural(e.lines, 'line')} with ${plural(e.updates, 'update')}${bad}${unknown}${refused}`,
  ];
  for (const { message, line } of e.quoted) lines.push(`         ${escapeControl(message)}: ${escapeControl(line)}`);
  return lines;
}

/** What programs are attached to, how many packets each hook has judged, and what its sets and limits take. */
function ebpfLines({ directory, places, lists, limits }: EbpfSummary, rules: StatusAnswer['kernel']['rules'], p: Palette): string[] {
  const attached = places.filter(({ way }) => way !== undefined).length;
  const count = `${attached} of ${plural(places.length, 'place')} attached`;
  const lines = [
    `${p.bold('ebpf'.padEnd(8))} ${attached === places.length ? p.green(count) : p.yellow(count)}; ${escapeControl(directory)}`,
  ];
  for (const { place, way, why, generation } of places) {
    const state = way === undefined ? p.red('not attached') : escapeControl(way);
    const number = generation === undefined ? '' : `, generation ${generation}`;
    lines.push(`  ${escapeControl(place)}: ${state}${number}${why === undefined ? '' : ` (${escapeControl(why)})`}`);
  }
  for (const hook of new Set(places.map((one) => one.hook))) {
    const own = rules.filter(({ tenant, chain }) => tenant === undefined && chain === hook);
    const packets = own.reduce((sum, rule) => sum + rule.packets, 0);
    const { refused = 0, admitted = 0 } = limits.find((one) => one.hook === hook) ?? {};
    const full = refused === 0 ? '' : `; ${p.yellow(`${plural(refused, 'packet')} shared a bucket of a limit, for want of room`)}`;
    const buckets = admitted === 0 ? '' : `, ${plural(admitted, 'bucket')} of limits`;
    lines.push(`  ${escapeControl(hook)}: ${plural(packets, 'packet')} judged${buckets}${full}`);
  }
  for (const { set, family, members, left_out: left, memory } of lists) {
    const size = memory === undefined ? '' : `, ${Math.ceil(memory / 1024)} kB`;
    const out = left === 0 ? '' : `; ${p.red(`no room for ${plural(left, 'member')}`)}`;
    lines.push(`  $${escapeControl(set)} (${family}): ${plural(members, 'member')}${size}${out}`);
  }
  return lines;
}

function cumulusLines(c: CumulusSummary, p: Palette, now: number): string[] {
  const lines = c.lines ? `${plural(c.lines.ipv4, 'line')} of IPv4, ${c.lines.ipv6} of IPv6` : 'not written yet';
  const failed = c.failed_commits > 0 ? p.red(`${c.failed_commits} failed`) : '0 failed';
  const committed = c.committed === undefined ? '' : `, the last ${ago(c.committed, now)} ago`;
  const pending = c.pending ? `; ${p.yellow('what is wanted is not in force')}` : '';
  return [`${p.bold('acl'.padEnd(8))} ${escapeControl(c.file)}: ${lines}; ${plural(c.commits, 'commit')}${committed}, ${failed}${pending}`];
}

function tenantLines({ name, netns, open, sets, members, owned_table: table, mistakes }: TenantSummary, p: Palette): string[] {
  const place = netns === undefined ? 'never without mistakes' : `netns ${escapeControl(netns)}`;
  const there = open ? '' : `, ${p.red('not managed now')}`;
  const line = `${p.bold('tenant'.padEnd(8))} ${name}: ${place}${there}; ${plural(sets, 'set')}, ${plural(members, 'member')}`;
  const lines = [`${line}${table ? `; table inet ${escapeControl(table.name)}` : ''}`];
  if (mistakes)
    lines.push(
      `         ${p.red(`${plural(mistakes.errors, 'mistake')} in its files, so it is as it was`)}: ${escapeControl(mistakes.first)}`,
    );
  return lines;
}

/** Verdict events, and where some were lost. */
function eventLines({ verdicts, from, sampled_out: sampledOut, lost, problems }: EventCounts, p: Palette): string[] {
  const read = from.ebpf + from.nflog;
  const kinds = Object.entries(verdicts).map(([verdict, count]) => `${count} ${escapeControl(verdict)}`);
  const left = sampledOut === 0 ? '' : `; ${sampledOut} sampled out`;
  const lines = [`${p.bold('events'.padEnd(8))} ${plural(read, 'event')}${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}${left}`];
  const places = [
    [lost.ring, 'in the ring buffer'],
    [lost.nflog, 'in nfnetlink_log'],
    [lost.queue, 'on the way to the daemon'],
    [lost.subscribers, 'by slow observers'],
  ] as const;
  const gone = places.flatMap(([count, place]) => (count === 0 ? [] : [`${count} ${place}`]));
  if (gone.length > 0) lines.push(`         ${p.yellow(`lost: ${gone.join(', ')}`)}`);
  for (const { subject, message } of problems)
    lines.push(`         ${p.red(`${escapeControl(subject)} is not read: ${escapeControl(message)}`)}`);
  return lines;
}

/** The rules that have seen most packets. */
function ruleLines(rules: StatusAnswer['kernel']['rules']): string[] {
  const all = sumRules(rules);
  const seen = all.filter((rule) => rule.packets > 0);
  const most = [...seen].sort((a, b) => b.packets - a.packets).slice(0, MOST_RULES);
  const lines = all
    .filter((rule) => most.includes(rule))
    .map((rule) => `  ${escapeControl(ruleTitle(rule))}: ${plural(rule.packets, 'packet')}, ${plural(rule.bytes, 'byte')}`);
  if (most.length < all.length)
    lines.push(`  ${plural(all.length, 'rule')}, ${all.length - seen.length} without packets: weir counters shows all`);
  return lines;
}

function problemSubject({ tenant, subject }: StatusAnswer['kernel']['problems'][number]): string {
  return tenant === undefined || tenant === subject ? subject : `${tenant}/${subject}`;
}

function latency(l: LatencySummary): string {
  return l.count === 0 ? 'not measured yet' : `p50 ${humanDuration(l.p50_ms)}, p99 ${humanDuration(l.p99_ms)} of ${l.count}`;
}
