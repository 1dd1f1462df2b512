import { isLinkLocal } from '@weir/sys';
import { bitsOf, equalPrefix, type Ip, printIp, printPrefix } from '@weir/wire/inet';
import { family } from '../codec/index.ts';
import { type PeerConfig, SessionConfigError, type SpeakerConfig } from './config.ts';
import { dynamicPeer, sampleAddress } from './dynamic-peers.ts';

/** Longest TCP MD5 key that the kernel takes. */
const MAX_PASSWORD = 80;

/** Throws SessionConfigError for the first thing that cannot be run. */
export function checkSpeaker(config: SpeakerConfig): void {
  if (config.localAs === 0) throw new SessionConfigError('AS 0 cannot be our own (RFC 7607)');
  if (config.routerId.family !== 4 || config.routerId.w0 === 0)
    throw new SessionConfigError('the router id is an IPv4 address other than 0.0.0.0');
  for (const { port } of config.listen ?? []) integer('listening port', port, 0, 65535);
  const names = new Set<string>();
  const addresses = new Map<string, string>();
  for (const peer of config.peers) {
    checkPeer(config, peer);
    if (names.has(peer.name)) throw new SessionConfigError('the name is used twice', peer.name);
    names.add(peer.name);
    const address = `${printIp(peer.address)}%${isLinkLocal(peer.address) ? peer.device : ''}`;
    const other = addresses.get(address);
    if (other !== undefined) throw new SessionConfigError(`has the address of ${other}`, peer.name);
    addresses.set(address, peer.name);
  }
  const groups = config.dynamic ?? [];
  for (const [i, group] of groups.entries()) {
    checkPeer(config, dynamicPeer(group, sampleAddress(group)));
    integer('limit of peers', group.limit, 1, 100_000, group.name);
    const other = groups.slice(0, i).find(({ range }) => equalPrefix(range, group.range));
    if (other) throw new SessionConfigError(`has the range ${printPrefix(group.range)} of ${other.name}`, group.name);
  }
}

/** Throws SessionConfigError for the first thing that cannot be run. */
export function checkPeer(speaker: SpeakerConfig, peer: PeerConfig): void {
  const fail = (message: string): never => {
    throw new SessionConfigError(message, peer.name);
  };
  if (peer.localAs === 0 || peer.peerAs === 0) fail('AS 0 (RFC 7607)');
  if (peer.families.length === 0) fail('no address families');
  for (const name of peer.families) family(name);
  if (isUnspecified(peer.address)) fail('the address is unspecified');
  if (peer.source && peer.source.family !== peer.address.family) fail('source and address are of different families');
  if (isLinkLocal(peer.address) && peer.device === undefined) fail('a link-local address needs a device');
  if (peer.password !== undefined && (peer.password === '' || new TextEncoder().encode(peer.password).length > MAX_PASSWORD)) {
    fail(`a password has 1-${MAX_PASSWORD} octets`);
  }
  if (peer.ttlSecurity !== undefined && peer.multihop !== undefined) fail('ttlSecurity and multihop exclude each other');
  if (peer.holdTime === 1 || peer.holdTime === 2) fail('a hold time is 0 or 3-65535 seconds (RFC 4271 section 4.2)');
  const bounds: readonly (readonly [string, number | undefined, number, number])[] = [
    ['port', peer.port, 1, 65535],
    ['hold time', peer.holdTime, 0, 65535],
    ['least hold time', peer.minHoldTime, 3, 65535],
    ['send hold time', peer.sendHoldTime, 1, 86_400],
    ['time for OPEN', peer.openTime, 1, 3600],
    ['delay of OPEN', peer.delayOpen, 0, 3600],
    ['hops of TTL security', peer.ttlSecurity, 1, 254],
    ['multihop TTL', peer.multihop, 1, 255],
    ['long-lived stale time', peer.longLivedStaleTime, 0, 0xffffff],
    ['restart time', peer.gracefulRestart === false ? undefined : peer.gracefulRestart?.restartTime, 0, 4095],
    ['send queue', peer.sendQueue, 65536, 1 << 30],
  ];
  for (const [what, value, least, most] of bounds) integer(what, value, least, most, peer.name);
  if (peer.sendHoldTime !== undefined && peer.sendHoldTime <= (peer.holdTime ?? 90))
    fail('the send hold time is longer than the hold time (RFC 9687)');
  const internal = peer.peerAs === 'internal' || peer.peerAs === (peer.localAs ?? speaker.localAs);
  if (peer.role !== undefined && internal) fail('an internal peer has no role (RFC 9234)');
  if (peer.strictRole && peer.role === undefined) fail('strictRole needs a role');
  for (const limit of Object.values(peer.maxPrefixes ?? {})) {
    integer('prefix limit', limit.limit, 1, 0xffffffff, peer.name);
    integer('warning percentage', limit.warnAt, 1, 100, peer.name);
    integer('restart delay', limit.restartAfter, 1, 86_400, peer.name);
  }
}

function integer(what: string, value: number | undefined, least: number, most: number, peer?: string): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new SessionConfigError(`${what} is ${least}-${most}, not ${value}`, peer);
}

function isUnspecified(address: Ip): boolean {
  return bitsOf(address.family) === 32 ? address.w0 === 0 : (address.w0 | address.w1 | address.w2 | address.w3) === 0;
}
