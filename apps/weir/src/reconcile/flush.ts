import type { Lists } from '@weir/filter/eval';
import { protocolName } from '@weir/filter/packet';
import type { Tuple } from '@weir/netlink/conntrack';
import { equalIp, type Ip, printIp } from '@weir/wire/inet';
import { type Fate, judgeWays, type TrackedFlow, waysOf } from '../compile/connections/index.ts';
import type { KernelBackend, TrackedConnection } from '../kernel/backend.ts';
import { originalOf } from '../kernel/nft/tracked-connections.ts';
import type { End, FlushReport, Lifeline } from '../model/flush.ts';
import type { HookRules } from '../model/rule.ts';

/** Connections that are looked at: about 100 MB while it goes on. */
const MAX_CONNECTIONS = 262_144;
/** How long (ms) it may take in all, and at a stretch: in between routes reach the kernel. */
const MAX_TIME = 30_000;
const STRETCH = 10;
/** Entries that are deleted at once. */
const BATCH = 256;
const MAX_EXAMPLES = 10;
const TCP = 6;

export interface FlushOptions {
  readonly backend: Pick<KernelBackend, 'listConnections' | 'deleteConnections' | 'openRoutes'>;
  readonly hooks: readonly HookRules[];
  readonly lists: Lists;
  /** Never cut. */
  readonly lifelines: readonly Lifeline[];
  /** Milliseconds. */
  readonly now: () => number;
  /** Lets other work of the thread go on. */
  readonly pause: () => Promise<void>;
}

/**
 * Deletes the tracked connections whose first packet the rules would certainly deny, were it to come now. What conntrack does not keep (interfaces, lengths, payload, marks)
 * never cuts a connection: the interfaces are those that routing says, and what depends on the rest goes on and is counted. What a deleted connection sends next is a new
 * packet to the rules.
 */
export async function flushStates(options: FlushOptions): Promise<FlushReport> {
  const { backend, now, pause } = options;
  const { connections, total } = backend.listConnections(MAX_CONNECTIONS);
  const counts = { cut: 0, allowed: 0, doubtful: 0, protected: 0 };
  const examples: string[] = [];
  let looked = 0;
  let doomed: TrackedConnection[] = [];
  const routes = backend.openRoutes();
  const judge = (connection: TrackedFlow): Fate => {
    const blind = judgeWays(waysOf(connection, routes, true), options.hooks, options.lists);
    return blind.kind === 'doubtful' ? judgeWays(waysOf(connection, routes, false), options.hooks, options.lists) : blind;
  };
  try {
    const end = now() + MAX_TIME;
    for (let stretch = now(); looked < connections.length && now() < end; looked++) {
      const entry = connections[looked];
      const flow = entry && flowOf(entry);
      // Another zone's routing and rules are not those of this namespace.
      const fate: Fate | undefined = flow && entry.key.zone === undefined ? judge(flow) : undefined;
      if (fate?.kind === 'allowed') counts.allowed++;
      else if (!entry || !flow || fate?.kind !== 'denied') {
        counts.doubtful++;
        if (flow && examples.length < MAX_EXAMPLES) examples.push(describe(flow, fate));
      } else if (options.lifelines.some((line) => isOf(line, flow))) counts.protected++;
      else {
        counts.cut++;
        doomed.push(entry);
      }
      if (doomed.length >= BATCH) {
        backend.deleteConnections(doomed);
        doomed = [];
      }
      if (now() - stretch < STRETCH) continue;
      await pause();
      stretch = now();
    }
    backend.deleteConnections(doomed);
  } finally {
    routes.close();
  }
  return { tracked: total, ...counts, left: total - looked, examples };
}

function flowOf(entry: TrackedConnection): TrackedFlow | undefined {
  const original = originalOf(entry);
  if (!original) return undefined;
  const { reply, expected } = entry;
  return { original, translated: reply ? translatedBy(original, reply) : original, state: expected ? 'related' : 'new' };
}

/** The original direction with the destination that answers come from. */
function translatedBy(original: Tuple, reply: Tuple): Tuple {
  const { sourcePort } = reply;
  return { ...original, destination: reply.source, ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }) };
}

function isOf({ one, other }: Lifeline, { original, translated }: TrackedFlow): boolean {
  if (original.protocol !== TCP) return false;
  const from = { address: original.source, port: original.sourcePort };
  return [original, translated].some(({ destination, destinationPort }) => {
    const to = { address: destination, port: destinationPort };
    return (isEnd(one, from) && isEnd(other, to)) || (isEnd(one, to) && isEnd(other, from));
  });
}

function isEnd(wanted: End, found: { readonly address: Ip; readonly port: number | undefined }): boolean {
  return (
    (wanted.address === undefined || equalIp(wanted.address, found.address)) && (wanted.port === undefined || wanted.port === found.port)
  );
}

/** `tcp 198.51.100.7:50000 -> 203.0.113.5:443: rule web at forward`. */
function describe({ original }: TrackedFlow, fate: Fate | undefined): string {
  const { protocol, source, destination, sourcePort, destinationPort } = original;
  const flow = `${protocolName(protocol) ?? `protocol ${protocol}`} ${text(source, sourcePort)} -> ${text(destination, destinationPort)}`;
  if (fate?.kind !== 'doubtful') return `${flow}: it is tracked in another zone`;
  return fate.rule ? `${flow}: ${fate.hook} ${fate.rule.name}` : `${flow}: the way that it takes through this host`;
}

function text(address: Ip, port: number | undefined): string {
  if (port === undefined) return printIp(address);
  return address.family === 4 ? `${printIp(address)}:${port}` : `[${printIp(address)}]:${port}`;
}
