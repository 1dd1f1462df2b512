import type { Ip } from '@weir/wire/inet';
import { type Administrator, decodeExtendedCommunity } from '../extended-community.ts';
import type { ExtendedCommunity, Ipv6ExtendedCommunity, PathAttributes } from '../types.ts';

/** The route target of a routing table that traffic is redirected to; an IPv6 address comes in the IPv6 extended communities. */
export type RedirectTarget = Administrator | { readonly kind: 'ipv6'; readonly address: Ip };

/** One traffic filtering action as it was sent (RFC 8955 section 7, RFC 8956 section 5). */
export type FlowAction =
  /** At most so many octets or packets a second, as the float says: 0 discards; NaN, infinity and negative numbers are possible. The AS number informs alone. */
  | { readonly kind: 'rate-bytes' | 'rate-packets'; readonly rate: number; readonly asn: number }
  /** `terminal` is false where the terminal bit is SET: later rules are evaluated as well (RFC 8955 section 7.3). */
  | { readonly kind: 'traffic-action'; readonly sample: boolean; readonly terminal: boolean }
  /** Into the routing table that imports this route target. */
  | { readonly kind: 'redirect-rt'; readonly administrator: RedirectTarget; readonly local: number }
  /** To an address, undefined for the announcement's next hop; `copy` sends a copy there and the packet on its way. */
  | { readonly kind: 'redirect-ip'; readonly address: Ip | undefined; readonly copy: boolean }
  | { readonly kind: 'mark'; readonly dscp: number }
  /** An action that Weir does not know. */
  | { readonly kind: 'unknown'; readonly high: number; readonly low: number };

/** Types of extended communities that hold actions on flows (IANA): 0x07 and 0x47 FlowSpec, 0x08 and 0x09 redirection, 0x80-0x82 generic. */
const ACTION_TYPES: ReadonlySet<number> = new Set([0x07, 0x08, 0x09, 0x47, 0x80, 0x81, 0x82]);

const REDIRECT_IPV6 = 0x0c;
const REDIRECT_RT_IPV6 = 0x0d;
/** Type and sub-type that drafts of RFC 8956 gave the redirection to a route target, and that GoBGP 3 still sends. */
const DRAFT_REDIRECT_RT_IPV6 = [0x80, 0x0b] as const;

function actionOf(community: ExtendedCommunity): FlowAction | undefined {
  const view = decodeExtendedCommunity(community);
  switch (view.kind) {
    case 'traffic-rate-bytes':
      return { kind: 'rate-bytes', rate: view.rate, asn: view.asn };
    case 'traffic-rate-packets':
      return { kind: 'rate-packets', rate: view.rate, asn: view.asn };
    case 'traffic-action':
      return { kind: 'traffic-action', sample: view.sample, terminal: view.terminal };
    case 'rt-redirect':
      return { kind: 'redirect-rt', administrator: view.administrator, local: view.local };
    case 'redirect-to-ip':
      return { kind: 'redirect-ip', address: view.address, copy: view.copy };
    case 'traffic-marking':
      return { kind: 'mark', dscp: view.dscp };
    case 'unknown':
      return ACTION_TYPES.has(view.type) ? { kind: 'unknown', high: view.high, low: view.low } : undefined;
    default:
      return undefined;
  }
}

function actionOfIpv6({ typeHigh, typeLow, address, local }: Ipv6ExtendedCommunity): FlowAction | undefined {
  const draft = typeHigh === DRAFT_REDIRECT_RT_IPV6[0] && typeLow === DRAFT_REDIRECT_RT_IPV6[1];
  if (typeHigh === 0 && typeLow === REDIRECT_IPV6) return { kind: 'redirect-ip', address, copy: (local & 1) !== 0 };
  if (draft || (typeHigh === 0 && typeLow === REDIRECT_RT_IPV6))
    return { kind: 'redirect-rt', administrator: { kind: 'ipv6', address }, local };
  return undefined;
}

/** The actions among the extended communities, in their order; those of IPv6 last. Route targets and other communities are none. */
export function flowActions({ extendedCommunities = [], ipv6ExtendedCommunities = [] }: PathAttributes): readonly FlowAction[] {
  return [...extendedCommunities.map(actionOf), ...ipv6ExtendedCommunities.map(actionOfIpv6)].filter((a) => a !== undefined);
}

/** A rate that is not a number cannot be decoded as RFC 8955 section 7 has it, and makes the announcement malformed (section 10). */
export function isMalformedAction(action: FlowAction): boolean {
  return (action.kind === 'rate-bytes' || action.kind === 'rate-packets') && Number.isNaN(action.rate);
}

const floatView = new DataView(new ArrayBuffer(4));

function floatWord(value: number): number {
  floatView.setFloat32(0, value);
  return floatView.getUint32(0);
}

const word = (type: number, low: number): number => ((type << 16) | (low & 0xffff)) >>> 0;

/** Type 0, 1 or 2 with the sub-type in `type`. */
function administered(type: number, administrator: Administrator, local: number): ExtendedCommunity {
  if (administrator.kind === 'as2') return { high: word(type, administrator.asn), low: unsigned('local part', local, 0xffffffff) };
  const middle = administrator.kind === 'as4' ? administrator.asn : administrator.address.w0;
  const form = administrator.kind === 'as4' ? 0x0200 : 0x0100;
  return { high: word(type | form, middle >>> 16), low: ((middle << 16) | unsigned('local part', local, 0xffff)) >>> 0 };
}

function unsigned(what: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) throw new RangeError(`${what} is 0-${most}, not ${value}`);
  return value;
}

function rateCommunity(type: number, rate: number, as: number): ExtendedCommunity {
  if (Number.isNaN(rate) || rate < 0) throw new RangeError(`a rate is not negative, and a number: ${rate}`);
  return { high: word(type, unsigned('AS number', as, 0xffff)), low: floatWord(rate + 0) };
}

function communityOf(action: FlowAction): ExtendedCommunity | Ipv6ExtendedCommunity {
  switch (action.kind) {
    case 'rate-bytes':
      return rateCommunity(0x8006, action.rate, action.asn);
    case 'rate-packets':
      return rateCommunity(0x800c, action.rate, action.asn);
    case 'traffic-action':
      return { high: 0x80070000, low: (action.sample ? 2 : 0) | (action.terminal ? 0 : 1) };
    case 'redirect-rt': {
      const { administrator, local } = action;
      if (administrator.kind !== 'ipv6') return administered(0x8008, administrator, local);
      return { typeHigh: 0, typeLow: REDIRECT_RT_IPV6, address: administrator.address, local: unsigned('local part', local, 0xffff) };
    }
    case 'redirect-ip': {
      const { address, copy } = action;
      const flags = copy ? 1 : 0;
      if (address === undefined) return { high: 0x08000000, low: flags };
      if (address.family === 6) return { typeHigh: 0, typeLow: REDIRECT_IPV6, address: address, local: flags };
      return { high: word(0x010c, address.w0 >>> 16), low: ((address.w0 << 16) | flags) >>> 0 };
    }
    case 'mark':
      return { high: 0x80090000, low: unsigned('DSCP', action.dscp, 63) };
    case 'unknown':
      return { high: action.high, low: action.low };
  }
}

/**
 * The attributes that announce these actions. RangeError for a rate that is negative or not a number (RFC 8955 section 7.1), a DSCP over 63, or a local part or AS number
 * that the community has no room for.
 */
export function encodeFlowActions(actions: readonly FlowAction[]): Pick<PathAttributes, 'extendedCommunities' | 'ipv6ExtendedCommunities'> {
  const all = actions.map(communityOf);
  const extendedCommunities = all.filter((c): c is ExtendedCommunity => 'high' in c);
  const ipv6ExtendedCommunities = all.filter((c): c is Ipv6ExtendedCommunity => 'address' in c);
  return {
    ...(extendedCommunities.length > 0 ? { extendedCommunities } : {}),
    ...(ipv6ExtendedCommunities.length > 0 ? { ipv6ExtendedCommunities } : {}),
  };
}
