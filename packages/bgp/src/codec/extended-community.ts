import { type Asn, asn, type Ip, ip4, parseAsn, parseIp, printIp } from '@weir/wire/inet';
import type { ExtendedCommunity } from './types.ts';

/** The global administrator of a route target or route origin: its width on the wire is part of the value. */
export type Administrator =
  | { readonly kind: 'as2'; readonly asn: Asn }
  | { readonly kind: 'as4'; readonly asn: Asn }
  | { readonly kind: 'ipv4'; readonly address: Ip };

/** The typed view of eight octets. */
export type ExtendedCommunityView =
  | { readonly kind: 'route-target' | 'route-origin'; readonly administrator: Administrator; readonly local: number }
  /** FlowSpec: bytes a second (RFC 8955 section 7.1); 0 discards. `asn` informs only. */
  | { readonly kind: 'traffic-rate-bytes'; readonly asn: number; readonly rate: number }
  /** FlowSpec: packets a second (RFC 8955 section 7.2). */
  | { readonly kind: 'traffic-rate-packets'; readonly asn: number; readonly rate: number }
  /** FlowSpec (RFC 8955 section 7.3): sample; go on to later rules unless `terminal` (bit 47 clear). */
  | { readonly kind: 'traffic-action'; readonly sample: boolean; readonly terminal: boolean }
  /** FlowSpec (RFC 8955 section 7.4): into the VRF that imports this route target. */
  | { readonly kind: 'rt-redirect'; readonly administrator: Administrator; readonly local: number }
  /** FlowSpec (RFC 8955 section 7.5): 0-63. */
  | { readonly kind: 'traffic-marking'; readonly dscp: number }
  /** FlowSpec redirect to a next hop: `address` is undefined in the form that means the next hop of MP_REACH_NLRI. */
  | { readonly kind: 'redirect-to-ip'; readonly address: Ip | undefined; readonly copy: boolean }
  | { readonly kind: 'color'; readonly flags: number; readonly color: number }
  | { readonly kind: 'opaque'; readonly transitive: boolean; readonly subtype: number; readonly high: number; readonly low: number }
  /** Bytes a second. */
  | { readonly kind: 'link-bandwidth'; readonly transitive: boolean; readonly asn: number; readonly rate: number }
  | { readonly kind: 'unknown'; readonly type: number; readonly subtype: number; readonly high: number; readonly low: number };

const floatView = new DataView(new ArrayBuffer(4));

function float(word: number): number {
  floatView.setUint32(0, word);
  return floatView.getFloat32(0);
}

/**
 * Types 0, 1 and 2 with a sub-type of their own meaning:
 *
 *     as2:   type · sub-type · AS 2   · local 4
 *     ipv4:  type · sub-type · IPv4 4 · local 2
 *     as4:   type · sub-type · AS 4   · local 2
 */
function administered(form: number, { high, low }: ExtendedCommunity): { readonly administrator: Administrator; readonly local: number } {
  const four = (((high & 0xffff) << 16) | (low >>> 16)) >>> 0;
  switch (form) {
    case 1:
      return { administrator: { kind: 'ipv4', address: ip4(four) }, local: low & 0xffff };
    case 2:
      return { administrator: { kind: 'as4', asn: asn(four) }, local: low & 0xffff };
    default:
      return { administrator: { kind: 'as2', asn: asn(high & 0xffff) }, local: low };
  }
}

/** What an extended community says (RFC 4360, 5668, 8955, 9012 and the drafts for link bandwidth and redirect to IP); `unknown` keeps the words. */
export function decodeExtendedCommunity(ec: ExtendedCommunity): ExtendedCommunityView {
  const { high, low } = ec;
  switch (high >>> 16) {
    case 0x0002:
    case 0x0102:
    case 0x0202:
      return { kind: 'route-target', ...administered(high >>> 24, ec) };
    case 0x0003:
    case 0x0103:
    case 0x0203:
      return { kind: 'route-origin', ...administered(high >>> 24, ec) };
    case 0x8006:
      return { kind: 'traffic-rate-bytes', asn: high & 0xffff, rate: float(low) };
    case 0x800c:
      return { kind: 'traffic-rate-packets', asn: high & 0xffff, rate: float(low) };
    case 0x8007:
      return { kind: 'traffic-action', sample: (low & 2) !== 0, terminal: (low & 1) === 0 };
    case 0x8008:
    case 0x8108:
    case 0x8208:
      return { kind: 'rt-redirect', ...administered((high >>> 24) & 0x7f, ec) };
    case 0x8009:
      return { kind: 'traffic-marking', dscp: low & 0x3f };
    case 0x0800:
      return { kind: 'redirect-to-ip', address: undefined, copy: (low & 1) !== 0 };
    case 0x010c:
      return { kind: 'redirect-to-ip', address: ip4((((high & 0xffff) << 16) | (low >>> 16)) >>> 0), copy: (low & 1) !== 0 };
    case 0x030b:
      return { kind: 'color', flags: high & 0xffff, color: low };
    case 0x0004:
    case 0x4004:
      return { kind: 'link-bandwidth', transitive: high >>> 24 === 0, asn: high & 0xffff, rate: float(low) };
  }
  const type = high >>> 24;
  const subtype = (high >>> 16) & 255;
  if (type === 0x03 || type === 0x43) return { kind: 'opaque', transitive: type === 0x03, subtype, high, low };
  return { kind: 'unknown', type, subtype, high, low };
}

/**
 * `rt:64512:80`, `ro:192.0.2.1:80`, and `generic:0x80060000:0x00000000` for all others. A 4-octet AS number that would fit two octets is written in asdot
 * (`rt:0.64512:80`), so that text and bytes stand for each other.
 */
export function printExtendedCommunity(ec: ExtendedCommunity): string {
  const view = decodeExtendedCommunity(ec);
  if (view.kind !== 'route-target' && view.kind !== 'route-origin') return `generic:${hexWord(ec.high)}:${hexWord(ec.low)}`;
  return `${view.kind === 'route-target' ? 'rt' : 'ro'}:${printAdministrator(view.administrator)}:${view.local}`;
}

/** `64512`, `192.0.2.1`, `4200000000`; asdot for a 4-octet AS number below 65536. */
export function printAdministrator(a: Administrator): string {
  if (a.kind === 'ipv4') return printIp(a.address);
  return a.kind === 'as4' && a.asn <= 0xffff ? `0.${a.asn}` : String(a.asn);
}

function hexWord(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
}

/** The texts that `printExtendedCommunity` writes, hex in either case and without leading zeros too; undefined for anything else. */
export function parseExtendedCommunity(text: string): ExtendedCommunity | undefined {
  const generic = /^generic:0x([0-9a-fA-F]{1,8}):0x([0-9a-fA-F]{1,8})$/.exec(text);
  if (generic) return { high: Number.parseInt(generic[1] ?? '', 16), low: Number.parseInt(generic[2] ?? '', 16) };
  const match = /^(rt|ro):([0-9.]{1,21}):(0|[1-9]\d{0,9})$/.exec(text);
  if (!match) return undefined;
  const [, kind, administrator = '', digits] = match;
  const subtype = kind === 'rt' ? 2 : 3;
  const local = Number(digits);
  const address = parseIp(administrator);
  if (address) return local > 0xffff ? undefined : wide(0x0100 | subtype, address.w0, local);
  const as = parseAsn(administrator);
  if (as === undefined) return undefined;
  if (as > 0xffff || administrator.includes('.')) return local > 0xffff ? undefined : wide(0x0200 | subtype, as, local);
  return local > 0xffffffff ? undefined : { high: ((subtype << 16) | as) >>> 0, low: local };
}

/** The forms with a 4-octet administrator. */
function wide(type: number, administrator: number, local: number): ExtendedCommunity {
  return { high: ((type << 16) | (administrator >>> 16)) >>> 0, low: ((administrator << 16) | local) >>> 0 };
}
