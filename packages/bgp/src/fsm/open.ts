import { AS_TRANS, type Asn, equalIp } from '@weir/wire/inet';
import {
  type AfiSafi,
  type Capability,
  ErrorCode,
  family,
  type Notification,
  type OpenMessage,
  OpenSubcode,
  ROLES,
  trueAs,
} from '../codec/index.ts';
import type { FsmConfig, PeerAs, Role } from './config.ts';

/** The value of the role capability (RFC 9234 section 4.1). */
export function roleValue(role: Role): number {
  return ROLES.indexOf(role);
}

/** The role that the other side must have. */
const COUNTERPART: Readonly<Record<Role, Role>> = {
  provider: 'customer',
  customer: 'provider',
  rs: 'rs-client',
  'rs-client': 'rs',
  peer: 'peer',
};

const VERSION = 4;

/** Our OPEN. `plain` leaves the capabilities out, for a peer that refused them (RFC 5492 section 3). */
export function localOpen(config: FsmConfig, plain: boolean): OpenMessage {
  return {
    kind: 'open',
    version: VERSION,
    myAs: config.localAs > 0xffff ? AS_TRANS : config.localAs,
    holdTime: config.holdTime,
    routerId: config.routerId,
    capabilities: plain ? [] : localCapabilities(config),
  };
}

/** The capabilities that we offer, in the order in which they are sent. */
export function localCapabilities(config: FsmConfig): readonly Capability[] {
  const families: readonly AfiSafi[] = config.families.map((name) => ({ afi: family(name).afi, safi: family(name).safi }));
  const out: Capability[] = families.map((f) => ({ kind: 'multiprotocol', family: f }));
  out.push({ kind: 'route-refresh' }, { kind: 'enhanced-route-refresh' }, { kind: 'four-octet-as', asn: config.localAs });
  if (config.extendedMessage) out.push({ kind: 'extended-message' });
  if (config.extendedNextHop && config.families.includes('ipv4 unicast')) {
    out.push({ kind: 'extended-next-hop', entries: [{ afi: 1, safi: 1, nextHopAfi: 2 }] });
  }
  const paths = config.families
    .map((name) => ({
      afi: family(name).afi,
      safi: family(name).safi,
      send: config.addPath.send.includes(name),
      receive: config.addPath.receive.includes(name),
    }))
    .filter((f) => f.send || f.receive);
  if (paths.length > 0) out.push({ kind: 'add-path', families: paths });
  const restart = config.gracefulRestart;
  if (restart) {
    out.push({
      kind: 'graceful-restart',
      restarting: restart.restarting,
      notification: true,
      restartTime: restart.restartTime,
      families: families.map((f) => ({ ...f, forwardingPreserved: restart.forwardingPreserved })),
    });
    const staleTime = config.longLivedStaleTime;
    if (staleTime !== undefined) {
      const longLived = families.map((f) => ({ ...f, forwardingPreserved: restart.forwardingPreserved, staleTime }));
      out.push({ kind: 'long-lived-graceful-restart', families: longLived });
    }
  }
  if (config.role !== undefined && config.peerAs !== 'internal' && config.peerAs !== config.localAs) {
    out.push({ kind: 'role', role: roleValue(config.role) });
  }
  if (config.hostname !== undefined) out.push({ kind: 'fqdn', hostname: config.hostname, domain: config.domain ?? '' });
  return out;
}

/** The first capability of that kind. */
export function capability<K extends Capability['kind']>(open: OpenMessage, kind: K): Extract<Capability, { kind: K }> | undefined {
  return open.capabilities.find((c): c is Extract<Capability, { kind: K }> => c.kind === kind);
}

/** The true AS number of the sender (RFC 6793 section 4.1). */
export function openAs(open: OpenMessage): Asn {
  return trueAs(open.myAs, open.capabilities);
}

/** What is wrong with a peer's OPEN, and the NOTIFICATION that says so. */
export interface OpenRefusal {
  readonly notification: Notification;
  readonly detail: string;
}

/**
 * Checks a decoded OPEN against what the peering expects: RFC 4271 section 6.2, RFC 6286 section 2.2, RFC 6793 section 4.2.3,
 * RFC 7607 section 2, RFC 9234 section 4.2. Undefined when it is acceptable.
 */
export function checkOpen(config: FsmConfig, open: OpenMessage): OpenRefusal | undefined {
  if (open.version !== VERSION) return refuse(OpenSubcode.unsupportedVersion, `version ${open.version}`, Uint8Array.of(0, VERSION));
  return checkAs(config, open) ?? checkRouterId(config, open) ?? checkHoldTime(config, open) ?? checkRole(config, open);
}

function refuse(subcode: number, detail: string, data: Uint8Array = new Uint8Array(0)): OpenRefusal {
  return { notification: { code: ErrorCode.open, subcode, data }, detail };
}

function checkAs(config: FsmConfig, open: OpenMessage): OpenRefusal | undefined {
  const four = capability(open, 'four-octet-as');
  const as = openAs(open);
  if (as === 0 || open.myAs === 0) return refuse(OpenSubcode.badPeerAs, 'AS 0');
  if (!four && as === AS_TRANS) return refuse(OpenSubcode.badPeerAs, `AS ${AS_TRANS} without a four-octet AS number`);
  if (four && open.myAs !== AS_TRANS && open.myAs !== four.asn) {
    return refuse(OpenSubcode.badPeerAs, `My Autonomous System ${open.myAs} contradicts the four-octet AS number ${four.asn}`);
  }
  if (!acceptsAs(config.peerAs, config.localAs, as)) return refuse(OpenSubcode.badPeerAs, `AS ${as}, expected ${config.peerAs}`);
  return undefined;
}

function acceptsAs(expected: PeerAs, local: Asn, as: Asn): boolean {
  if (expected === 'any') return true;
  if (expected === 'internal') return as === local;
  if (expected === 'external') return as !== local;
  return as === expected;
}

function checkRouterId(config: FsmConfig, open: OpenMessage): OpenRefusal | undefined {
  if (open.routerId.w0 === 0) return refuse(OpenSubcode.badBgpIdentifier, 'BGP identifier 0.0.0.0');
  if (openAs(open) === config.localAs && equalIp(open.routerId, config.routerId)) {
    return refuse(OpenSubcode.badBgpIdentifier, 'an internal peer has our own BGP identifier');
  }
  return undefined;
}

function checkHoldTime(config: FsmConfig, open: OpenMessage): OpenRefusal | undefined {
  const bad = open.holdTime === 1 || open.holdTime === 2;
  const agreed = Math.min(open.holdTime, config.holdTime);
  if (bad || (agreed !== 0 && agreed < config.minHoldTime)) return refuse(OpenSubcode.unacceptableHoldTime, `hold time ${open.holdTime}`);
  return undefined;
}

function checkRole(config: FsmConfig, open: OpenMessage): OpenRefusal | undefined {
  if (config.role === undefined || openAs(open) === config.localAs) return undefined;
  const roles = new Set(open.capabilities.filter((c) => c.kind === 'role').map((c) => c.role));
  const [role] = roles;
  if (role === undefined) {
    return config.strictRole ? refuse(OpenSubcode.roleMismatch, 'no role, and one is demanded') : undefined;
  }
  if (roles.size > 1) return refuse(OpenSubcode.roleMismatch, `several roles: ${[...roles].join(', ')}`);
  if (role !== roleValue(COUNTERPART[config.role]))
    return refuse(OpenSubcode.roleMismatch, `role ${role} does not match ours, ${config.role}`);
  return undefined;
}
