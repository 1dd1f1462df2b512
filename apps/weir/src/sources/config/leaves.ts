import { type Asn, asn, bitsOf, type Family, type Ip, parseAsn, parseIp } from '@weir/wire/inet';
import type { Listen } from '../../model/config.ts';
import type { CommunityPattern, SessionLoss } from '../../model/named-set.ts';
import { parseDuration } from '../yaml/duration.ts';
import { address } from '../yaml/leaves.ts';
import { leaf, quote, type Shape } from '../yaml/shape.ts';
import { parseCommunityPattern } from './community-pattern.ts';

/** 1-4294967294 but for those that no speaker may have: 0 (RFC 7607), 23456 (RFC 6793), 65535 and 4294967295 (RFC 7300). */
export function asNumber(): Shape<Asn> {
  return leaf('AS number', (written, _value, place, report) => {
    const value = parseAsn(written);
    if (value === undefined) {
      report('E011', place, `not an AS number: ${quote(written)}`, 'write 1-4294967294, or two halves as in 64086.59905');
      return undefined;
    }
    const why =
      value === 0
        ? 'AS 0 is not an AS that can speak BGP (RFC 7607)'
        : value === 23456
          ? 'AS 23456 only stands in for larger numbers (RFC 6793)'
          : value === 65535 || value === 0xffffffff
            ? `AS ${value} is reserved (RFC 7300)`
            : undefined;
    if (why === undefined) return asn(value);
    report('E011', place, why);
    return undefined;
  });
}

/** A router identifier: an IPv4 address other than 0.0.0.0 (RFC 6286). */
export function routerId(): Shape<Ip> {
  const base = address('router id', 4);
  return {
    doc: { type: 'IPv4 address' },
    read(node, label, report) {
      const ip = base.read(node, label, report);
      if (ip?.w0 !== 0) return ip;
      report('E010', node.place, 'router_id must not be 0.0.0.0 (RFC 6286)');
      return undefined;
    },
  };
}

export function communityPattern(): Shape<CommunityPattern> {
  return leaf('community pattern', (written, _value, place, report) => {
    const result = parseCommunityPattern(written);
    if (result.ok) return result.pattern;
    report('E017', place, `not a community pattern: ${quote(written)}`, result.message);
    return undefined;
  });
}

/** `withdraw`, `hold 2m`, `hold forever`, `hold long-lived`. */
export function sessionLoss(): Shape<SessionLoss> {
  return leaf('withdraw, hold DURATION, hold long-lived or hold forever', (written, _value, place, report) => {
    if (written === 'withdraw') return { kind: 'withdraw' };
    if (written === 'hold forever') return { kind: 'hold-forever' };
    if (written === 'hold long-lived') return { kind: 'hold-long-lived' };
    const held = /^hold +(\S+)$/.exec(written);
    const ms = held ? parseDuration(held[1] ?? '') : undefined;
    if (ms !== undefined && ms > 0) return { kind: 'hold', ms };
    if (held) report('E016', place, `not a duration: ${quote(held[1] ?? '')}`, 'write hold 2m, hold 90s, hold long-lived or hold forever');
    else
      report(
        'E009',
        place,
        `${quote(written)} is not what session loss can do`,
        'write withdraw, hold 2m, hold long-lived or hold forever',
      );
    return undefined;
  });
}

/** `192.0.2.1`, `192.0.2.1:1179`, `2001:db8::1`, `[2001:db8::1]:1179`. */
export function listenAddress(defaultPort: number): Shape<Listen> {
  return leaf('address or address:port', (written, _value, place, report) => {
    const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(written);
    const quad = /^(\d+\.\d+\.\d+\.\d+):(.*)$/.exec(written);
    const host = bracketed?.[1] ?? quad?.[1] ?? written;
    const portText = bracketed?.[2] ?? quad?.[2];
    const ip = parseIp(host);
    if (!ip || (bracketed && ip.family !== 6)) {
      report('E013', place, `not an address or address:port: ${quote(written)}`, 'write 192.0.2.1, 192.0.2.1:179 or [2001:db8::1]:179');
      return undefined;
    }
    if (portText === undefined) return { address: ip, port: defaultPort };
    const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
    if (port >= 1 && port <= 65535) return { address: ip, port };
    report('E019', place, `not a port: ${quote(portText)}`, 'ports are 1-65535');
    return undefined;
  });
}

/** The prefix lengths of one family: `24`, `24..32`, or `[24, 32]`. */
export function lengthRange(family: Family): Shape<{ readonly min: number; readonly max: number }> {
  const bits = bitsOf(family);
  const form = `write a length, ${family === 4 ? '24..32' : '48..128'} or [min, max]; lengths are 0-${bits}`;
  return {
    doc: { type: 'length, MIN..MAX or [MIN, MAX]' },
    read(node, _label, report) {
      let parts: string[] | undefined;
      if (node.kind === 'scalar') parts = node.text.split('..');
      else if (node.kind === 'list') parts = node.items.map((item) => (item.kind === 'scalar' ? item.text : ''));
      const numbers = parts?.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : -1));
      const min = numbers?.[0] ?? -1;
      const max = numbers?.[1] ?? min;
      if (numbers && numbers.length <= 2 && min >= 0 && min <= max && max <= bits) return { min, max };
      report('E010', node.place, `not a range of IPv${family} prefix lengths`, form);
      return undefined;
    },
  };
}
