import { mkdirSync, readFileSync } from 'node:fs';
import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import { PeerDaemon } from './daemon.ts';
import {
  type AddressFamily,
  type AnnounceOptions,
  bothFamilies,
  familyOf,
  type NeighborConfig,
  type Peer,
  type PeerConfig,
  type ReceivedRoute,
  type SessionState,
} from './peer.ts';

/** More prefixes than this go to it by command: a reload of as many network statements takes longer the more there are. */
const BULK = 1000;

/** OpenBGPD portable. What it announces are network statements; the configuration is reloaded for each change. */
export async function startOpenbgpd(lab: Lab, host: Host, config: PeerConfig): Promise<Peer> {
  const daemon = new Openbgpd(lab, host, config);
  await daemon.start();
  return daemon;
}

/** Its parts change their root to the home of its user, which the package leaves to the service manager to make (`RuntimeDirectory`). */
function makeRoot(): void {
  const home = /^_openbgpd:(?:[^:]*:){4}([^:]+)/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1];
  if (home !== undefined) mkdirSync(home, { recursive: true });
}

class Openbgpd extends PeerDaemon {
  readonly kind = 'openbgpd';
  /** What was announced by command. */
  readonly #bulk = new Map<string, AnnounceOptions>();

  async start(): Promise<void> {
    makeRoot();
    const path = this.writeConfig('bgpd.conf', this.#configText());
    this.spawn('/usr/sbin/bgpd', ['-d', '-v', '-f', path]);
    await this.waitReady(() => this.#bgpctl('show'));
    for (const { prefixes, options } of this.announcedGroups()) {
      const some = prefixes.filter((prefix) => this.#bulk.has(prefix));
      if (some.length > 0) await this.#network('add', some, options);
    }
  }

  async announceMany(prefixes: readonly string[], options: AnnounceOptions = {}): Promise<void> {
    for (const prefix of prefixes) this.announced.set(prefix, options);
    if (prefixes.length <= BULK) return await this.#reload();
    for (const prefix of prefixes) this.#bulk.set(prefix, options);
    await this.#network('add', prefixes, options);
  }

  async withdrawMany(prefixes: readonly string[]): Promise<void> {
    const some = prefixes.filter((prefix) => this.#bulk.delete(prefix));
    for (const prefix of prefixes) this.announced.delete(prefix);
    if (some.length > 0) await this.#network('delete', some, {});
    if (some.length < prefixes.length) await this.#reload();
  }

  async sessionState(neighbor: string): Promise<SessionState> {
    const shown = JSON.parse(await this.#bgpctl('-j', 'show', 'neighbor', neighbor)) as {
      readonly neighbors?: readonly { readonly state?: string }[];
    };
    return (shown.neighbors?.[0]?.state?.toLowerCase() ?? 'idle') as SessionState;
  }

  async receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]> {
    const shown = JSON.parse(await this.#bgpctl('-j', 'show', 'rib', family === 'ipv4 unicast' ? 'inet' : 'inet6', 'detail')) as {
      readonly rib?: readonly OpenbgpdRoute[];
    };
    return (shown.rib ?? [])
      .filter((route) => route.announced !== true)
      .map((route) => ({
        prefix: route.prefix,
        nextHop: route.exit_nexthop ?? route.true_nexthop ?? '',
        communities: route.communities ?? [],
        large: route.large_communities ?? [],
      }));
  }

  async shutdown(neighbor: string, message: string): Promise<void> {
    await this.#bgpctl('neighbor', neighbor, 'down', message);
  }

  async enable(neighbor: string): Promise<void> {
    await this.#bgpctl('neighbor', neighbor, 'up');
  }

  async refresh(neighbor: string): Promise<void> {
    await this.#bgpctl('neighbor', neighbor, 'refresh');
  }

  command(line: string): Promise<string> {
    return this.#bgpctl(...line.split(' '));
  }

  async #bgpctl(...args: readonly string[]): Promise<string> {
    return (await this.host.exec('bgpctl', ['-s', `${this.directory}/bgpd.sock`, ...args])).stdout;
  }

  async #network(action: 'add' | 'delete', prefixes: readonly string[], options: AnnounceOptions): Promise<void> {
    const settings = attributes(options)
      .replace(/^ set \{ (.*) \}$/, '$1')
      .split(' ')
      .filter((word) => word !== '');
    await this.host.exec('bgpctl', ['-s', `${this.directory}/bgpd.sock`, 'network', 'bulk', ...settings, action], {
      input: `${prefixes.join('\n')}\n`,
      timeoutMs: 120_000,
    });
  }

  async #reload(): Promise<void> {
    this.writeConfig('bgpd.conf', this.#configText());
    await this.#bgpctl('reload');
  }

  #configText(): string {
    const { as, routerId, neighbors, listen = [], extra = [], text } = this.config;
    if (text !== undefined) return `socket "${this.directory}/bgpd.sock"\n${text}`;
    return [
      `AS ${as}`,
      `router-id ${routerId}`,
      `socket "${this.directory}/bgpd.sock"`,
      'fib-update no',
      ...listen.map((address) => `listen on ${address}`),
      ...[...this.announced]
        .filter(([prefix]) => !this.#bulk.has(prefix))
        .map(([prefix, options]) => `network ${prefix}${attributes(options)}`),
      ...extra,
      ...neighbors.flatMap((neighbor) => this.#neighborLines(neighbor)),
      'allow from any',
      'allow to any',
      ...nextHopRules(this.announced),
      '',
    ].join('\n');
  }

  #neighborLines(neighbor: NeighborConfig): readonly string[] {
    const { address, as, holdTime = 90, families = bothFamilies, ttlSecurity } = neighbor;
    if (neighbor.extendedMessages === true) throw this.unsupported('extended messages');
    if (ttlSecurity !== undefined && ttlSecurity !== 1) throw this.unsupported('TTL security over more than one hop');
    const when = (condition: unknown, line: string): string[] => (condition === undefined || condition === false ? [] : [line]);
    const paths = neighbor.addPath;
    const mixed = as !== this.config.as && families.some((family) => familyOf(address) !== family);
    return [
      `neighbor ${address} {`,
      ...[
        `remote-as ${as}`,
        `holdtime ${holdTime}`,
        'holdtime min 3',
        ...bothFamilies.map(
          (family) => `announce ${family === 'ipv4 unicast' ? 'IPv4' : 'IPv6'} ${families.includes(family) ? 'unicast' : 'none'}`,
        ),
        ...when(neighbor.localAddress, `local-address ${neighbor.localAddress}`),
        ...when(neighbor.passive, 'passive'),
        ...when(neighbor.md5, `tcp md5sig password ${neighbor.md5}`),
        ...when(ttlSecurity, 'ttl-security yes'),
        ...when(neighbor.multihop ?? (mixed && ttlSecurity === undefined ? 2 : undefined), `multihop ${neighbor.multihop ?? 2}`),
        ...when(neighbor.reflectorClient, 'route-reflector'),
        ...when(neighbor.nextHopSelf, 'set nexthop self'),
        ...when(neighbor.maximumPrefixes, `max-prefix ${neighbor.maximumPrefixes}`),
        `announce restart ${neighbor.gracefulRestart === undefined ? 'no' : 'yes'}`,
        ...(paths === 'receive' || paths === 'both' ? ['announce add-path recv yes'] : []),
        ...(paths === 'send' || paths === 'both' ? ['announce add-path send all'] : []),
        ...(neighbor.extra ?? []),
      ].map((line) => `  ${line}`),
      '}',
    ];
  }
}

interface OpenbgpdRoute {
  readonly prefix: string;
  readonly exit_nexthop?: string;
  readonly true_nexthop?: string;
  readonly announced?: boolean;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
}

function attributes(options: AnnounceOptions): string {
  const { communities = [], large = [], routeTargets = [], nextHop, med, localPref } = options;
  const settings = [
    ...communities.map((text) => `community ${text}`),
    ...large.map((text) => `large-community ${text}`),
    ...routeTargets.map((text) => `ext-community rt ${text}`),
    ...(nextHop === undefined ? [] : [`nexthop ${nextHop}`]),
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(localPref === undefined ? [] : [`localpref ${localPref}`]),
  ];
  return settings.length === 0 ? '' : ` set { ${settings.join(' ')} }`;
}

/**
 * Towards a directly connected eBGP neighbour a next hop of the other family than the session's is replaced by a local address, for which the
 * portable version picks ::1. It keeps the next hop that was asked for towards a neighbour that is not direct (hence `multihop 2`) and with this rule.
 */
function nextHopRules(announced: ReadonlyMap<string, AnnounceOptions>): readonly string[] {
  const chosen = [...announced].filter(([, options]) => options.nextHop !== undefined).map(([prefix]) => prefix);
  if (chosen.length === 0) return [];
  return [`prefix-set "chosen" { ${chosen.join(' ')} }`, 'match to any prefix-set "chosen" set nexthop no-modify'];
}
