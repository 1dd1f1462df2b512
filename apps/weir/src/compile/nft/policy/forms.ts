import type { Family } from '@weir/wire/inet';
import { fieldInfo } from '../fields.ts';
import type { Match } from '../image.ts';
import { type Alternative, ANY, type LiteralForm } from './alternative.ts';

/** One condition, with what a packet that meets it has. */
export function of(match: Match): Alternative {
  if (match.kind !== 'field' && match.kind !== 'bits') return { family: undefined, protocol: undefined, matches: [match] };
  const { family, protocol } = fieldInfo(match.field);
  const only =
    match.kind === 'field' && match.field === 'protocol' && !match.not && match.ranges.length === 1 ? match.ranges[0] : undefined;
  return { family, protocol: only && only[0] === only[1] ? Number(only[0]) : protocol, matches: [match] };
}

export function onlyFamily(family: Family): Alternative {
  return { family, protocol: undefined, matches: [{ kind: 'family', family }] };
}

/** Of something that can be missing. */
export function single(match: Match, not: Match): LiteralForm {
  return { yes: [of(match)], disjoint: true, no: undefined, turned: of(not) };
}

/** Of something that every packet has. */
export function always(match: Match, not: Match): LiteralForm {
  return { yes: [of(match)], disjoint: true, no: [of(not)], turned: of(not) };
}

export function never(): LiteralForm {
  return { yes: [], disjoint: true, no: [ANY], turned: undefined };
}
