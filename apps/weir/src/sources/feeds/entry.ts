import { compareIp, type Prefix, parseIp, parsePrefix, rangePrefixes } from '@weir/wire/inet';
import type { FeedConfig, FeedReason } from '../../model/feed.ts';

/** Characters of the longest text that can be an address, prefix or range. */
const LONGEST = 96;

/** The prefixes that a text stands for: `192.0.2.0/24`, an address, or `192.0.2.1-192.0.2.9`; or why it stands for none. */
export function readEntry(text: string, minLength: FeedConfig['minLength']): readonly Prefix[] | FeedReason {
  if (text.length > LONGEST) return 'not-a-prefix';
  const dash = text.indexOf('-');
  if (dash >= 0) return readRange(text.slice(0, dash), text.slice(dash + 1), minLength);
  const parsed = parsePrefix(text);
  if (!parsed.ok) return parsed.error.kind === 'host-bits' ? 'host-bits' : 'not-a-prefix';
  return tooShort(parsed.prefix, minLength) ?? [parsed.prefix];
}

function readRange(from: string, to: string, minLength: FeedConfig['minLength']): readonly Prefix[] | FeedReason {
  const [first, last] = [parseIp(from.trim()), parseIp(to.trim())];
  if (!first || !last || first.family !== last.family || compareIp(first, last) > 0) return 'not-a-prefix';
  const prefixes = rangePrefixes(first, last);
  for (const prefix of prefixes) {
    const reason = tooShort(prefix, minLength);
    if (reason) return reason;
  }
  return prefixes;
}

function tooShort(prefix: Prefix, minLength: FeedConfig['minLength']): FeedReason | undefined {
  if (prefix.length === 0) return 'default-route';
  return prefix.length < minLength[prefix.family] ? 'too-short' : undefined;
}
