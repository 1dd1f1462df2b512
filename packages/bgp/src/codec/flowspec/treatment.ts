import type { Ip } from '@weir/wire/inet';
import type { FlowAction, RedirectTarget } from './action.ts';
import { printFlowAction } from './action-text.ts';

export type FlowRedirect =
  | { readonly kind: 'rt'; readonly administrator: RedirectTarget; readonly local: number }
  | { readonly kind: 'ip'; readonly address: Ip; readonly copy: boolean };

/** An action that does not count, and why. */
export interface FlowNote {
  readonly action: FlowAction;
  readonly reason: string;
}

/** What is to happen to packets that a rule matches. With nothing said they are accepted as they are, and the first rule that matches ends the search. */
export interface FlowTreatment {
  /** Octets a second at most, finite and not negative; 0 discards. Undefined where there is no limit. */
  readonly rateBytes: number | undefined;
  /** Packets a second at most, as `rateBytes`. Where both are there, both hold. */
  readonly ratePackets: number | undefined;
  readonly sample: boolean;
  /** Whether later rules are left alone. */
  readonly terminal: boolean;
  /** DSCP, 0-63. */
  readonly mark: number | undefined;
  readonly redirect: FlowRedirect | undefined;
  readonly notes: readonly FlowNote[];
}

/**
 * What actions come to together (RFC 8955 section 7.7 leaves it to implementations, and asks that they say). It does not depend on the order of the communities, which no speaker keeps:
 *
 * - of several rates of one unit the lowest; bytes and packets hold both. Negative rates are 0 (section 7.1), so is minus zero; infinity is no limit; a rate that is not a number counts for nothing
 *   (`isMalformedAction`: a received UPDATE with one has been treated as a withdrawal); one too small to be a normal float is what it says, above 0;
 * - sampling where any action asks for it; later rules are evaluated only where every traffic-action says so;
 * - of several marks the lowest DSCP;
 * - of several redirections one to an address rather than into a routing table, an address of its own rather than the next hop, the packet itself rather than a copy, then the first by text;
 * - a redirection to the next hop of an announcement that has none, and unknown actions, count for nothing.
 *
 * A limit comes before a redirection: what is over it is gone. `nextHop` is that of the announcement.
 */
export function flowTreatment(actions: readonly FlowAction[], nextHop: Ip | undefined): FlowTreatment {
  const notes: FlowNote[] = [];
  const flags = actions.filter((a) => a.kind === 'traffic-action');
  const marks = actions.filter((a) => a.kind === 'mark').toSorted((a, b) => a.dscp - b.dscp);
  const [mark, ...otherMarks] = marks;
  for (const action of otherMarks) if (action.dscp !== mark?.dscp) notes.push({ action, reason: `mark ${mark?.dscp} is lower` });
  const treatment = {
    rateBytes: lowestRate(actions, 'rate-bytes', notes),
    ratePackets: lowestRate(actions, 'rate-packets', notes),
    sample: flags.some((a) => a.sample),
    terminal: flags.length === 0 || flags.some((a) => a.terminal),
    mark: mark?.dscp,
    redirect: redirectOf(actions, nextHop, notes),
    notes,
  };
  if (treatment.terminal) {
    for (const action of flags) if (!action.terminal) notes.push({ action, reason: 'another action ends the search' });
  }
  for (const action of actions) if (action.kind === 'unknown') notes.push({ action, reason: 'an action that is not known' });
  return treatment;
}

/** The fewest actions that come to a treatment. */
export function treatmentActions({ rateBytes, ratePackets, sample, terminal, mark, redirect }: FlowTreatment): readonly FlowAction[] {
  return [
    ...(rateBytes === undefined ? [] : [{ kind: 'rate-bytes', rate: rateBytes, asn: 0 } as const]),
    ...(ratePackets === undefined ? [] : [{ kind: 'rate-packets', rate: ratePackets, asn: 0 } as const]),
    ...(sample || !terminal ? [{ kind: 'traffic-action', sample, terminal } as const] : []),
    ...(mark === undefined ? [] : [{ kind: 'mark', dscp: mark } as const]),
    ...(redirect ? [redirectAction(redirect)] : []),
  ];
}

function redirectAction(redirect: FlowRedirect): FlowAction {
  if (redirect.kind === 'ip') return { kind: 'redirect-ip', address: redirect.address, copy: redirect.copy };
  return { kind: 'redirect-rt', administrator: redirect.administrator, local: redirect.local };
}

type Rate = Extract<FlowAction, { readonly rate: number }>;

function lowestRate(actions: readonly FlowAction[], kind: 'rate-bytes' | 'rate-packets', notes: FlowNote[]): number | undefined {
  let lowest: number | undefined;
  const rates = actions.filter((a): a is Rate => a.kind === kind);
  for (const action of rates) {
    const { rate } = action;
    if (Number.isNaN(rate)) notes.push({ action, reason: 'the rate is not a number' });
    else if (rate === Number.POSITIVE_INFINITY) notes.push({ action, reason: 'an infinite rate is no limit' });
    else lowest = Math.min(lowest ?? Number.POSITIVE_INFINITY, rate > 0 ? rate : 0);
  }
  for (const action of rates) {
    if (lowest !== undefined && Number.isFinite(action.rate) && action.rate > lowest)
      notes.push({ action, reason: `a lower rate, ${lowest}, holds` });
  }
  return lowest;
}

type Redirection = Extract<FlowAction, { readonly kind: 'redirect-rt' | 'redirect-ip' }>;

/** Lower goes first. */
function rank(action: Redirection): number {
  if (action.kind === 'redirect-rt') return 4;
  return (action.address ? 0 : 2) + (action.copy ? 1 : 0);
}

function redirectOf(actions: readonly FlowAction[], nextHop: Ip | undefined, notes: FlowNote[]): FlowRedirect | undefined {
  const found: { readonly action: Redirection; readonly text: string }[] = [];
  for (const action of actions) {
    if (action.kind !== 'redirect-rt' && action.kind !== 'redirect-ip') continue;
    if (action.kind === 'redirect-ip' && !action.address && !nextHop) notes.push({ action, reason: 'the announcement has no next hop' });
    else found.push({ action, text: printFlowAction(action) });
  }
  found.sort((a, b) => rank(a.action) - rank(b.action) || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  const [first, ...others] = found;
  if (!first) return undefined;
  for (const { action, text } of others) if (text !== first.text) notes.push({ action, reason: `${first.text} comes first` });
  const { action } = first;
  if (action.kind === 'redirect-rt') return { kind: 'rt', administrator: action.administrator, local: action.local };
  const address = action.address ?? nextHop;
  return address && { kind: 'ip', address, copy: action.copy };
}
