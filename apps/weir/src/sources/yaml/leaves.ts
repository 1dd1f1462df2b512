import { type Family, type Ip, type Prefix, parseIp, parsePrefix, printIp, printPrefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';
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

/** A path that begins with `/`. */
export function absolutePath(type: string, max: number): Shape<string> {
  const shape = text(type, max);
  return {
    doc: shape.doc,
    read(node, label, report) {
      const path = shape.read(node, label, report);
      if (path === undefined || path.startsWith('/')) return path;
      report('E010', node.place, `${quote(path)} is no absolute path`, 'it begins with /');
      return undefined;
    },
  };
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
