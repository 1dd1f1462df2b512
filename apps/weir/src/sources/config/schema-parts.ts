import { type LargeCommunity, parseCommunity, parseLargeCommunity } from '@weir/bgp/codec';
import type { OwnCommunity } from '../../model/blackhole.ts';
import { duration, integer, name } from '../yaml/leaves.ts';
import { defaulted, leaf, optional, quote, type Shape, type Table, table } from '../yaml/shape.ts';
import { DEFAULTS, type RawChurn, type RawGracefulRestart } from './raw.ts';
import type { RawMinLength } from './raw-flowspec.ts';

/** The name of a peer. */
export const peerName = (): Shape<string> => name('a peer name', /^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'letters, digits, _ . and -', 64);

/** What the 24 bits of the capability can say (RFC 9494 section 3.1), in milliseconds. */
const LONGEST_STALE_TIME = 0xffffff * 1000;

/** What the other side is asked to keep while we are away; `longLived` describes the second time. */
export function gracefulRestartShape(longLived: string): Shape<Table<RawGracefulRestart>> {
  return table<RawGracefulRestart>('graceful_restart', {
    restart_time: defaulted(
      integer('restart_time', 1, 4095),
      DEFAULTS.restartTime,
      String(DEFAULTS.restartTime),
      'Seconds that Weir asks the peer to keep its routes while Weir restarts (RFC 4724).',
    ),
    long_lived_stale_time: optional(duration('long_lived_stale_time', 1000, LONGEST_STALE_TIME), longLived, 'not offered'),
  });
}

/** How fast one peer may change something: `what` begins the description of each key; `whose` ends that of the rate. */
export function churnShape(
  most: number,
  { rate, burst }: RawChurn,
  what: string,
  whose = ' that one peer may cause',
): Shape<Table<RawChurn>> {
  return table<RawChurn>('churn', {
    rate: defaulted(integer('rate', 1, most), rate, String(rate), `${what} a second${whose}.`),
    burst: defaulted(integer('burst', 1, most), burst, String(burst), `${what} that may come at once.`),
  });
}

/** Bits that `what` has at least, by family. */
export function minLengthShape(what: string, least: { readonly 4: number; readonly 6: number }): Shape<Table<RawMinLength>> {
  return table<RawMinLength>('min_length', {
    ipv4: defaulted(integer('ipv4', 0, 32), least[4], String(least[4]), `Bits of ${what} of IPv4 at least.`),
    ipv6: defaulted(integer('ipv6', 0, 128), least[6], String(least[6]), 'The same of IPv6.'),
  });
}

/** A community that a route can be given: `64512:666`, `blackhole`, `64512:1:2`. */
export function parseOwnCommunity(text: string): OwnCommunity | undefined {
  const standard = parseCommunity(text);
  if (standard !== undefined) return { kind: 'standard', value: standard };
  const large: LargeCommunity | undefined = parseLargeCommunity(text);
  return large && { kind: 'large', value: large };
}

export function communityShape(): Shape<OwnCommunity> {
  return leaf('community', (written, _value, place, report) => {
    const found = parseOwnCommunity(written);
    if (found) return found;
    report('E017', place, `not a community: ${quote(written)}`, 'write AS:VALUE, AS:A:B (large) or a name such as blackhole');
    return undefined;
  });
}
