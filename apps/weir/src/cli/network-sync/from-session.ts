import { randomInt } from 'node:crypto';
import {
  CeaseSubcode,
  describeNotification,
  ErrorCode,
  type NlriRun,
  type Notification,
  prefixAt,
  type UnicastFamily,
  type UpdateMessage,
} from '@weir/bgp/codec';
import { BgpSpeaker, SessionConfigError, type SessionEvent } from '@weir/bgp/session';
import { type Asn, type Family, type Ip, ip4, type Prefix, printIp } from '@weir/wire/inet';
import { CliError, EXIT } from '../exit.ts';
import { plural } from '../render/units.ts';
import { type Contents, emptyTables, place } from './contents.ts';
import type { KnownTables } from './known-tables.ts';

/** A distributor that is asked by a session as one of its clients has it. */
export interface SessionAddress {
  readonly address: Ip;
  readonly device: string | undefined;
  readonly port: number;
}

export interface SessionOptions {
  readonly as: Asn;
  readonly source: Ip | undefined;
  readonly password: string | undefined;
  /** Milliseconds without a word after which it has said all: after its End-of-RIB, or where it sends none. */
  readonly quiet: number;
  /** Milliseconds at most until it has. */
  readonly timeout: number;
  readonly maxRoutes: number;
  readonly signal: AbortSignal;
}

const NAME = 'distributor';
const FAMILIES: Readonly<Record<UnicastFamily, Family>> = { 'ipv4 unicast': 4, 'ipv6 unicast': 6 };
/** Of what is sent: as far as it may be, for who wants clients near as well. */
const TTL = 255;
/** Without graceful restart there may be no End-of-RIB: then the silence is longer. */
const LONGER = 3;

/** All that a distributor tells a client, over a session that lasts until it has. @throws CliError where that cannot be known */
export function fromSession(at: SessionAddress, known: KnownTables, options: SessionOptions): Promise<Contents> {
  const { quiet, timeout, maxRoutes, signal } = options;
  const who = printIp(at.address);
  const tables = emptyTables();
  let waiting = new Set<UnicastFamily>();
  let families: readonly Family[] = [];
  let patience = quiet;
  let silence: NodeJS.Timeout | undefined;

  return new Promise((resolve, reject) => {
    let over = false;
    const speaker = startSpeaker(at, options, (event) => {
      if (!over) onEvent(event);
    });
    const finish = (error: CliError | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(silence);
      clearTimeout(limit);
      signal.removeEventListener('abort', aborted);
      const settle = (): void => (error ? reject(error) : resolve({ tables, told: undefined, families }));
      speaker.close({ message: 'everything has been read' }).then(settle, reject);
    };
    const fail = (message: string): void => finish(new CliError(EXIT.error, `${who}: ${message}`));
    const heard = (): void => {
      clearTimeout(silence);
      if (waiting.size === 0) silence = setTimeout(() => finish(undefined), patience);
    };
    const aborted = (): void => finish(new CliError(EXIT.interrupted, 'interrupted: nothing is changed'));
    const limit = setTimeout(() => {
      const left = waiting.size === 0 ? 'it never stopped to send routes' : `no End-of-RIB of ${[...waiting].join(' and ')}`;
      const within = `within ${timeout / 1000} seconds: nothing is changed`;
      fail(families.length === 0 ? `no session ${within}; ${toLookAt(options)}` : `${left} ${within}`);
    }, timeout);

    const onEvent = (event: SessionEvent): void => {
      switch (event.kind) {
        case 'established': {
          const { negotiated, gracefulRestart } = event;
          const agreed = negotiated.families.flatMap((name) => (name === 'ipv4 unicast' || name === 'ipv6 unicast' ? [name] : []));
          families = agreed.map((name) => FAMILIES[name]);
          if (gracefulRestart) waiting = new Set(agreed);
          else patience = quiet * LONGER;
          heard();
          return;
        }
        case 'update':
          take(event.update);
          if (tables.size > maxRoutes) fail(`more than ${plural(maxRoutes, 'route')}: nothing is changed (--max-routes)`);
          else heard();
          return;
        case 'error':
          fail(`what it sends has errors (${event.errors[0]?.message ?? ''}): what it has is not known, and nothing is changed`);
          return;
        case 'attempt-failed':
          fail(refusal(event.notification, event.detail, options));
          return;
        case 'down':
          fail(`the session ended (${told(event.notification, event.detail)}): nothing is changed`);
          return;
        default:
          return;
      }
    };
    const take = ({ withdraw, announce, attributes, endOfRib }: UpdateMessage): void => {
      for (const run of withdraw) place(tables, prefixesOf(run), []);
      for (const { run } of announce) place(tables, prefixesOf(run), known.ofRoute(attributes));
      if (endOfRib === 'ipv4 unicast' || endOfRib === 'ipv6 unicast') waiting.delete(endOfRib);
    };
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
    else speaker.start();
  });
}

/** It is a speaker of its own: its identifier is another each time, so that nobody takes it for one that had a session from this address. */
function startSpeaker({ address, device, port }: SessionAddress, options: SessionOptions, sink: (event: SessionEvent) => void): BgpSpeaker {
  const { as, source, password } = options;
  const peer = {
    name: NAME,
    address,
    port,
    peerAs: 'any',
    families: ['ipv4 unicast', 'ipv6 unicast'],
    multihop: TTL,
    gracefulRestart: { restartTime: 1 },
    ...(device === undefined ? {} : { device }),
    ...(source === undefined ? {} : { source }),
    ...(password === undefined ? {} : { password }),
  } as const;
  try {
    return new BgpSpeaker({ localAs: as, routerId: ip4(randomInt(0x0100_0000, 0xe000_0000)), peers: [peer] }, sink);
  } catch (error) {
    if (error instanceof SessionConfigError) throw new CliError(EXIT.usage, error.message);
    throw error;
  }
}

function prefixesOf(run: NlriRun): readonly Prefix[] {
  return Array.from({ length: run.count }, (_, i) => prefixAt(run, i));
}

function told(notification: Notification | undefined, detail: string | undefined): string {
  return notification ? describeNotification(notification) : (detail ?? 'without a word');
}

/** Why there was no session, and what can be done. */
function refusal(notification: Notification | undefined, detail: string | undefined, options: SessionOptions): string {
  const what = told(notification, detail);
  if (notification?.code === ErrorCode.cease && notification.subcode === CeaseSubcode.connectionCollision)
    return `it has a session from this address already, and keeps it (${what}): give another address of this host with --source`;
  if (notification?.code === ErrorCode.open) return `it refuses the session (${what}); it was told AS ${options.as} (--as)`;
  if (notification) return `it refuses the session (${what})`;
  return `no session (${what}): ${toLookAt(options)} Who comes and goes often is kept waiting for up to a minute`;
}

/** With another password, and from further away than it says, packets are dropped without a word. */
function toLookAt({ source, password }: SessionOptions): string {
  const from = source === undefined ? 'the address of this host' : printIp(source);
  const same = password === undefined ? 'does it want none (--password-file)' : 'is it the same there';
  return `does it listen, is ${from} one of its clients' (distribute.clients), as far away as those may be (multihop, ttl_security), and the password: ${same}?`;
}
