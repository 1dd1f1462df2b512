import { encodeAttributes, type NlriRun, nlriRun, type PathAttributes, sessionContext, type UpdateMessage } from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { asn, type Prefix, parseIp, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import type { Config, Peer } from '../model/config.ts';
import { DEFAULT_EBPF } from '../model/ebpf.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import type { CommunityPattern, NamedSet } from '../model/named-set.ts';
import type { StateClock } from './route-state-options.ts';

/** Values for the tests of this folder: a clock that is moved by hand, configurations, UPDATEs, and members as text. */
const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };

export class TestClock implements StateClock {
  #now = 1_000_000;
  readonly #timers = new Set<{ at: number; action: () => void }>();

  now(): number {
    return this.#now;
  }

  setTimer(ms: number, action: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, action };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Moves on and runs every timer that is due on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let steps = 0; steps < 10_000; steps++) {
      const next = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = end;
  }
}

export function testPeer(name: string, last: number, given: Partial<Peer> = {}): Peer {
  const address = parseIp(`192.0.2.${last}`);
  if (!address) throw new RangeError(name);
  return {
    name,
    address,
    port: 179,
    localAs: asn(64512),
    as: asn(64512 + last),
    families: ['ipv4 unicast', 'ipv6 unicast'],
    holdTime: 90,
    passive: false,
    source: undefined,
    interface: undefined,
    password: undefined,
    ttlSecurity: undefined,
    multihop: undefined,
    restartTime: 120,
    longLivedStaleTime: undefined,
    addPath: false,
    extendedMessage: true,
    role: undefined,
    roleStrict: false,
    maxPrefixes: undefined,
    flowValidation: 'off',
    keepAll: false,
    span,
    ...given,
  };
}

export function standard(high: number | '*', low: number | '*'): CommunityPattern {
  return { kind: 'standard', fields: [high, low] };
}

export type SetGiven = Partial<Omit<NamedSet, 'guard'>> & { readonly guard?: Partial<NamedSet['guard']> };

export function testSet(name: string, given: SetGiven = {}): NamedSet {
  return {
    name,
    kind: 'allow',
    communities: [standard(64512, 80)],
    onSessionLoss: { kind: 'hold', ms: 120_000 },
    onWithdraw: 'keep',
    target: { kind: 'user', family: 'inet', table: 'fw', ipv4: `${name}_v4`, ipv6: `${name}_v6` },
    span,
    ...given,
    guard: {
      peers: undefined,
      prefixes: undefined,
      lengths: { 4: { min: 8, max: 32 }, 6: { min: 16, max: 128 } },
      maxMembers: 1_000_000,
      churn: { rate: 50_000, burst: 1_000_000 },
      ...given.guard,
    },
  };
}

export function testConfig(peers: readonly Peer[], sets: readonly NamedSet[], given: Partial<Config> = {}): Config {
  const routerId = parseIp('192.0.2.254');
  if (!routerId) throw new RangeError('router id');
  return {
    file: 'weir.yaml',
    bgp: { as: asn(64512), routerId, hostname: undefined, listen: [], peers },
    sets,
    firewall: undefined,
    protected: [],
    ebpf: DEFAULT_EBPF,
    policy: undefined,
    convergence: { settle: 30_000, settleWithoutRestart: 10_000, startupHold: 300_000 },
    stateDirectory: '/var/lib/weir',
    socket: '/run/weir/weir.sock',
    netns: undefined,
    tenants: [],
    faultyTenants: [],
    ...given,
  };
}

export interface Said {
  readonly announce?: readonly string[];
  readonly withdraw?: readonly string[];
  /** `64512:80` and the like. */
  readonly communities?: readonly string[];
  readonly attributes?: PathAttributes;
  /** Path identifiers of `announce` and `withdraw`. */
  readonly paths?: readonly number[];
}

/** An UPDATE with prefixes of any family as text. */
export function update(said: Said): UpdateMessage {
  const attributes: PathAttributes = {
    origin: 'igp',
    asPath: [{ kind: 'sequence', asns: [asn(64513), asn(64514)] }],
    communities: (said.communities ?? []).map(community),
    ...said.attributes,
  };
  const writer = new Writer();
  encodeAttributes(writer, attributes, sessionContext());
  return {
    kind: 'update',
    withdraw: runs(said.withdraw ?? [], said.paths),
    announce: runs(said.announce ?? [], said.paths).map((run) => ({ nextHop: undefined, run })),
    withdrawFlows: [],
    announceFlows: [],
    attributes,
    rawAttributes: writer.finish(),
    endOfRib: undefined,
    errors: [],
  };
}

function community(text: string): number {
  const [high, low] = text.split(':').map(Number);
  return (((high ?? 0) << 16) | (low ?? 0)) >>> 0;
}

function runs(texts: readonly string[], paths: readonly number[] | undefined): NlriRun[] {
  const families = ['ipv4 unicast', 'ipv6 unicast'] as const;
  return families.flatMap((name) => {
    const own = texts
      .map((text, i) => ({ p: prefix(text), path: paths?.[i] ?? 0 }))
      .filter(({ p }) => p.family === (name === 'ipv4 unicast' ? 4 : 6));
    if (own.length === 0) return [];
    const prefixes = own.map(({ p }) => p);
    return [
      paths
        ? nlriRun(
            name,
            prefixes,
            own.map(({ path }) => path),
          )
        : nlriRun(name, prefixes),
    ];
  });
}

/** Columns of members as text. */
function columnPrefixes(columns: MemberColumns | MemberDelta): string[] {
  const stride = columns.family === 4 ? 1 : 4;
  const out: string[] = [];
  for (let i = 0; i < columns.count; i++) {
    const word = (w: number): number => (w < stride ? (columns.words[i * stride + w] ?? 0) : 0);
    out.push(printPrefix(prefixFromWords(columns.family, word(0), word(1), word(2), word(3), columns.lengths[i] ?? 0)));
  }
  return out;
}

export function ledgerColumns(set: string, texts: readonly string[]): MemberColumns[] {
  const prefixes = texts.map((text): Prefix => prefix(text));
  return ([4, 6] as const).map((family) => {
    const own = prefixes.filter((p) => p.family === family);
    const run = nlriRun(family === 4 ? 'ipv4 unicast' : 'ipv6 unicast', own);
    return { set, family, count: own.length, words: run.words, lengths: run.lengths };
  });
}

/** What a kernel that applies deltas has: set names to members as text. Throws where a delta is not a net change. */
export class Installed {
  readonly sets: Map<string, Set<string>> = new Map();

  apply(deltas: readonly MemberDelta[]): void {
    for (const delta of deltas) {
      const members = this.sets.get(delta.set) ?? new Set<string>();
      this.sets.set(delta.set, members);
      const listed = columnPrefixes(delta);
      if (delta.complete)
        for (const text of [...members]) if (text.includes(':') === (delta.family === 6) && !listed.includes(text)) members.delete(text);
      listed.forEach((text, i) => {
        const wanted = delta.wanted[i] === 1;
        if (!delta.complete && members.has(text) === wanted) throw new Error(`${delta.set} ${text}: no change in a delta`);
        if (wanted) members.add(text);
        else members.delete(text);
      });
    }
  }

  list(set: string): string[] {
    return [...(this.sets.get(set) ?? [])].sort();
  }
}
