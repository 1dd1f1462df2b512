import {
  type Asn,
  asn,
  bitsOf,
  type Family,
  type Ip,
  type Prefix,
  parseAsn,
  parseIp,
  parsePrefix,
  printIp,
  printPrefix,
} from '@weir/wire/inet';
import type { Listen } from '../../model/config.ts';
import type { PortRange } from '../../model/firewall.ts';
import type { CommunityPattern, SessionLoss } from '../../model/named-set.ts';
import { parseCommunityPattern } from './community-pattern.ts';
import { parseDuration, printDuration } from './duration.ts';
import { leaf, quote, type Shape } from './shape.ts';
import { suggest } from './suggest.ts';

/** Text that is given as text: numbers and booleans are a mistake here. */
export function text(type: string, max = 255): Shape<string> {
  return leaf(type, (written, value, place, report) => {
    if (typeof value !== 'string') {
      report('E008', place, `expected ${type}, found ${typeof value === 'number' ? 'the number ' : ''}${written}`, `write "${written}"`);
      return undefined;
    }
    if (value.length === 0 || value.length > max || /\p{Cc}/u.test(value)) {
      report('E010', place, `${type} must have 1-${max} characters and no control characters`);
      return undefined;
    }
    return value;
  });
}

/** A name of the given form. */
export function name(type: string, pattern: RegExp, form: string, max: number): Shape<string> {
  return leaf(type, (written, _value, place, report) => {
    if (pattern.test(written) && written.length <= max) return written;
    report('E018', place, `${quote(written)} is not ${type}`, `${form}, at most ${max} characters`);
    return undefined;
  });
}

export function boolean(): Shape<boolean> {
  return leaf('true or false', (written, value, place, report) => {
    if (typeof value === 'boolean') return value;
    const meant = /^(yes|on|y|1)$/i.test(written) ? 'true' : /^(no|off|n|0)$/i.test(written) ? 'false' : undefined;
    report('E008', place, `expected true or false, found ${quote(written)}`, meant === undefined ? undefined : `write ${meant}`);
    return undefined;
  });
}

export function integer(type: string, min: number, max: number): Shape<number> {
  return leaf(type, (written, value, place, report) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      report('E008', place, `expected ${type}, a whole number, found ${quote(written)}`);
      return undefined;
    }
    if (value < min || value > max) {
      report('E010', place, `${type} must be ${min}-${max}, not ${written}`);
      return undefined;
    }
    return value;
  });
}

/** A whole percentage from 1% to 100%, or the same as a number up to 1; read as a number up to 1. */
export function share(type: string): Shape<number> {
  return leaf(`percentage`, (written, value, place, report) => {
    const match = /^(\d{1,3})%$/.exec(written);
    const percent = match ? Number(match[1]) : typeof value === 'number' ? value * 100 : Number.NaN;
    const whole = Math.round(percent);
    if (whole >= 1 && whole <= 100 && Math.abs(percent - whole) < 1e-9) return whole / 100;
    report('E010', place, `${type} must be 1%-100%, not ${quote(written)}`);
    return undefined;
  });
}

/** One of some words. */
export function word<W extends string>(type: string, words: readonly W[]): Shape<W> {
  return leaf(`one of ${words.join(', ')}`, (written, _value, place, report) => {
    const found = words.find((w) => w === written);
    if (found !== undefined) return found;
    const near = suggest(written, words);
    report(
      'E009',
      place,
      `${quote(written)} is not ${type}`,
      near === undefined ? `it is one of ${words.join(', ')}` : `did you mean ${near}?`,
    );
    return undefined;
  });
}

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

export function address(type = 'IP address', family?: Family): Shape<Ip> {
  return leaf(type, (written, _value, place, report) => {
    const ip = parseIp(written);
    if (!ip) {
      report('E013', place, `not an IP address: ${quote(written)}`);
      return undefined;
    }
    if (family !== undefined && ip.family !== family) {
      report('E025', place, `${type} must be IPv${family}, not ${printIp(ip)}`);
      return undefined;
    }
    return ip;
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

export function prefixShape(): Shape<Prefix> {
  return leaf('prefix', (written, _value, place, report) => {
    const result = parsePrefix(written);
    if (result.ok) return result.prefix;
    if (result.error.kind === 'host-bits') {
      report('E015', place, `host bits are set in ${written}`, `write ${printPrefix(result.error.masked)}`);
    } else report('E014', place, result.error.kind === 'length' ? result.error.message : `not a prefix: ${quote(written)}`);
    return undefined;
  });
}

export function duration(type: string, min: number, max: number): Shape<number> {
  return leaf('duration', (written, _value, place, report) => {
    const ms = parseDuration(written);
    if (ms === undefined) {
      const hint = /^\d+$/.test(written) ? `write the unit: ${written}s` : 'write 500ms, 90s, 2m, 1h or 1d';
      report('E016', place, `not a duration: ${quote(written)}`, hint);
      return undefined;
    }
    if (ms < min || ms > max) {
      report('E010', place, `${type} must be ${printDuration(min)} to ${printDuration(max)}, not ${written}`);
      return undefined;
    }
    return ms;
  });
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

/** `443` or `8000-8010`. */
export function portRange(): Shape<PortRange> {
  return leaf('port or range', (written, _value, place, report) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match && from <= to && to <= 65535 && from >= 1) return { from, to };
    report('E019', place, `not a port or range of ports: ${quote(written)}`, 'write 443 or 8000-8010; ports are 1-65535');
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
