import { type Message, sessionContext, type UpdateMessage } from '@weir/bgp/codec';
import { type FlowAction, flowActions, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { asn } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { FlowAnnouncer, type OwnFlow } from './flow-announcer.ts';
import { TestOutgoing } from './test-session.ts';

const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };

function own(text: string, peers: readonly string[], actions: readonly FlowAction[] = [DISCARD]): OwnFlow {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return { rule: parsed.rule, actions, peers };
}

const ONE = 'flow4 { dst 203.0.113.7/32; }';
const TWO = 'flow4 { dst 203.0.113.8/32; }';
const THREE = 'flow4 { dst 203.0.113.9/32; }';
const SIX = 'flow6 { dst 2001:db8::7/128; }';

/** A session that keeps what it is told, in words. */
class Session extends TestOutgoing {
  readonly context = sessionContext({ peerKind: 'ebgp', localAs: asn(64512), families: ['ipv4 unicast', 'ipv4 flow'], fourOctetAs: true });
  #said: string[] = [];

  protected take(message: Message): void {
    if (message.kind !== 'update') throw new Error(message.kind);
    this.#said.push(words(message));
  }

  /** What has been said since the last call. */
  said(): readonly string[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
}

function words({ announceFlows, withdrawFlows, endOfRib, attributes }: UpdateMessage): string {
  if (endOfRib) return `end of ${endOfRib}`;
  const path = (attributes.asPath ?? []).flatMap(({ asns }) => asns).join(' ');
  return [
    ...withdrawFlows.flatMap(({ routes }) => routes.map(({ rule }) => `- ${printFlow(rule)}`)),
    ...announceFlows.flatMap(({ run }) =>
      run.routes.map(({ rule }) => `+ ${printFlow(rule)} ${flowActions(attributes).length} actions via ${path}`),
    ),
  ].join();
}

describe('flow rules of our own', () => {
  test('go to the peers that are named and hear their family, after the session is up and as they come', () => {
    const announcer = new FlowAnnouncer();
    announcer.announce(own(ONE, ['a']));
    const [a, b] = [new Session('a'), new Session('b')];
    announcer.established(a);
    announcer.established(b);
    expect(a.said()).toEqual([`+ ${ONE} 1 actions via 64512`]);
    expect(b.said()).toEqual([]);
    announcer.announce(own(SIX, ['a', 'b']));
    expect([a.said(), b.said()]).toEqual([[], []]);
    expect(announcer.toldTo(own(ONE, []).rule.key)).toEqual(['a']);
  });

  test('are announced anew with other actions, and withdrawn from whom they are not for any more', () => {
    const announcer = new FlowAnnouncer();
    const a = new Session('a');
    announcer.established(a);
    announcer.announce(own(ONE, ['a']));
    announcer.announce(own(ONE, ['a'], [DISCARD, { kind: 'mark', dscp: 1 }]));
    announcer.announce(own(ONE, ['b']));
    expect(a.said()).toEqual([`+ ${ONE} 1 actions via 64512`, `+ ${ONE} 2 actions via 64512`, `- ${ONE}`]);
    expect(announcer.withdraw(own(ONE, []).rule.key)).toBe(true);
    expect(announcer.withdraw(own(ONE, []).rule.key)).toBe(false);
    expect(a.said()).toEqual([]);
  });

  test('wait for room; what comes and goes meanwhile is not said', () => {
    const announcer = new FlowAnnouncer();
    const a = new Session('a');
    announcer.announce(own(ONE, ['a']));
    a.room = 1;
    announcer.established(a);
    expect([a.said().length, announcer.waits('a')]).toEqual([1, false]);
    announcer.announce(own(TWO, ['a']));
    expect(announcer.waits('a')).toBe(true);
    announcer.announce(own(THREE, ['a']));
    announcer.withdraw(own(THREE, []).rule.key);
    announcer.withdraw(own(ONE, []).rule.key);
    a.room = Number.POSITIVE_INFINITY;
    announcer.drained('a');
    expect([a.said(), announcer.waits('a')]).toEqual([[`+ ${TWO} 1 actions via 64512`, `- ${ONE}`], false]);
  });

  test('of several that ask for one rule, a peer gets the first by rank that is for it', () => {
    const announcer = new FlowAnnouncer();
    const [a, b] = [new Session('a'), new Session('b')];
    announcer.established(a);
    announcer.established(b);
    announcer.announce(own(ONE, ['a', 'b']), 1);
    announcer.announce(own(ONE, ['a'], [DISCARD, { kind: 'mark', dscp: 1 }]), 0);
    expect(a.said()).toEqual([`+ ${ONE} 1 actions via 64512`, `+ ${ONE} 2 actions via 64512`]);
    announcer.withdraw(own(ONE, []).rule.key, 0);
    expect(a.said()).toEqual([`+ ${ONE} 1 actions via 64512`]);
    announcer.withdraw(own(ONE, []).rule.key, 1);
    expect(a.said()).toEqual([`- ${ONE}`]);
    expect(b.said().at(-1)).toBe(`- ${ONE}`);
  });

  test('are said again when the peer asks', () => {
    const announcer = new FlowAnnouncer();
    const a = new Session('a');
    announcer.established(a);
    announcer.announce(own(ONE, ['a']));
    a.said();
    announcer.refresh('a', 'ipv4 flow');
    announcer.refresh('a', 'ipv4 unicast');
    expect(a.said()).toEqual([`+ ${ONE} 1 actions via 64512`]);
  });
});
