import {
  type AfiSafi,
  BgpError,
  type Capability,
  decodeOpen,
  FAMILIES,
  type FamilyName,
  type OpenMessage,
  type SessionContext,
  sessionContext,
  trueAs,
} from '../codec/index.ts';

/** How messages from `sender` to `receiver` are to be read, from the OPENs of both. */
export function agreedContext(sender: OpenMessage, receiver: OpenMessage, defaults: Partial<SessionContext> = {}): SessionContext {
  const peerAs = trueAs(sender.myAs, sender.capabilities);
  const localAs = trueAs(receiver.myAs, receiver.capabilities);
  const families = familiesOf(sender).filter((name) => familiesOf(receiver).includes(name));
  return sessionContext({
    ...defaults,
    peerAs,
    localAs,
    peerKind: peerAs === localAs ? 'ibgp' : 'ebgp',
    fourOctetAs: has(sender, 'four-octet-as') && has(receiver, 'four-octet-as'),
    extendedMessage: has(receiver, 'extended-message'),
    families,
    addPath: families.filter((name) => pathEntry(sender, name)?.send && pathEntry(receiver, name)?.receive),
    extendedNextHop: receiver.capabilities.some(
      (c) => c.kind === 'extended-next-hop' && c.entries.some((e) => e.afi === 1 && e.safi === 1 && e.nextHopAfi === 2),
    ),
  });
}

function has(open: OpenMessage, kind: Capability['kind']): boolean {
  return open.capabilities.some((c) => c.kind === kind);
}

/** Families offered; IPv4 unicast where no multiprotocol capability is (RFC 4760 section 8). */
function familiesOf(open: OpenMessage): readonly FamilyName[] {
  const offered = open.capabilities.filter((c) => c.kind === 'multiprotocol').map((c) => c.family);
  if (offered.length === 0) return ['ipv4 unicast'];
  return FAMILIES.filter((f) => find(offered, f.name)).map((f) => f.name);
}

function pathEntry(open: OpenMessage, name: FamilyName): { readonly send: boolean; readonly receive: boolean } | undefined {
  for (const c of open.capabilities) {
    const entry = c.kind === 'add-path' ? find(c.families, name) : undefined;
    if (entry) return entry;
  }
  return undefined;
}

function find<T extends AfiSafi>(entries: readonly T[], name: FamilyName): T | undefined {
  const f = FAMILIES.find((d) => d.name === name);
  return f && entries.find((e) => e.afi === f.afi && e.safi === f.safi);
}

/** Families for which a speaker offers to send path identifiers. */
export function sentPathIds(open: OpenMessage): readonly FamilyName[] {
  return FAMILIES.filter((f) => pathEntry(open, f.name)?.send).map((f) => f.name);
}

/** An OPEN, or undefined when it is not a good one. */
export function tryOpen(bytes: Uint8Array): OpenMessage | undefined {
  try {
    return decodeOpen(bytes);
  } catch (error) {
    if (error instanceof BgpError) return undefined;
    throw error;
  }
}
