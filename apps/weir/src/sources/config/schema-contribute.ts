import { covers, type Prefix, printPrefix } from '@weir/wire/inet';
import { type ContributeRule, DEFAULT_CONTRIBUTE } from '../../model/distribute.ts';
import { duration, integer, prefixShape, text } from '../yaml/leaves.ts';
import { defaulted, type Item, list, optional, quote, required, type Table, table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import { lengthRange } from './leaves.ts';
import type { RawLengths } from './raw.ts';

/** One of `distribute.clients[].contribute` as written. */
export interface RawContribute {
  table: string | undefined;
  prefixes: readonly Item<Prefix>[] | undefined;
  lengths: Table<RawLengths> | undefined;
  max_prefixes: number;
  lifetime: number;
}

const { lengths, maxPrefixes, lifetime } = DEFAULT_CONTRIBUTE;

export const contributeShape: ReturnType<typeof table<RawContribute>> = table<RawContribute>('a table to contribute to', {
  table: required(text('a table', 32), 'The table: routes that have one of its communities are meant for it. Each table once.'),
  prefixes: required(
    list(prefixShape(), { alone: true, atLeastOne: true }),
    'What is contributed lies in one of these; `0.0.0.0/0` and `::/0` are all addresses.',
  ),
  lengths: optional(
    table<RawLengths>('lengths', {
      ipv4: defaulted(lengthRange(4), lengths[4], '24..32', 'Prefix lengths of IPv4.'),
      ipv6: defaulted(lengthRange(6), lengths[6], '48..128', 'Prefix lengths of IPv6.'),
    }),
    'Prefix lengths that are taken.',
  ),
  max_prefixes: defaulted(
    integer('max_prefixes', 1, 1_000_000),
    maxPrefixes,
    String(maxPrefixes),
    'Prefixes at most, of all sessions of the client together; one that two of them contribute counts twice.',
  ),
  lifetime: defaulted(
    duration('lifetime', 10_000, 366 * 86_400_000),
    lifetime,
    '24h',
    'How long a prefix stays after it was last announced. One that is withdrawn goes at once.',
  ),
});

/** None when something required is missing: that was reported where it was read. */
export function buildContribute({ value }: Item<Table<RawContribute>>): readonly ContributeRule[] {
  const { table: name, prefixes, lengths: own, max_prefixes: most, lifetime: life } = value.get;
  if (name === undefined || prefixes === undefined) return [];
  return [
    {
      table: name,
      prefixes: prefixes.map((item) => item.value),
      lengths: own ? { 4: own.get.ipv4, 6: own.get.ipv6 } : lengths,
      maxPrefixes: most,
      lifetime: life,
      span: spanOf(value.label),
    },
  ];
}

/** Tables that are there, each once, and prefixes that something can lie in. */
export function checkContribute(
  client: Table<{ contribute: readonly Item<Table<RawContribute>>[] }>,
  known: readonly string[],
  report: Report,
): void {
  const seen = new Set<string>();
  for (const { value } of client.get.contribute) {
    const { table: name, prefixes, lengths: own } = value.get;
    if (name !== undefined) {
      const near = suggest(name, known);
      if (!known.includes(name))
        report('E054', value.place('table'), `no table is named ${quote(name)}`, near === undefined ? undefined : `did you mean ${near}?`);
      if (seen.has(name)) report('E055', value.place('table'), `what it may contribute to ${name} is said twice`);
      seen.add(name);
    }
    for (const [i, { value: one, place }] of (prefixes ?? []).entries()) {
      const max = (own ? { 4: own.get.ipv4, 6: own.get.ipv6 } : lengths)[one.family].max;
      if (one.length > max) report('E026', place, `nothing in ${printPrefix(one)} has at most ${max} bits, as lengths asks`);
      const other = prefixes?.slice(0, i).find((earlier) => covers(earlier.value, one));
      if (other) report('E055', place, `${printPrefix(other.value)} has all of ${printPrefix(one)}`);
    }
  }
}
