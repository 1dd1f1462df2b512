import { AS_TRANS, asn, ip4 } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Capability, OpenMessage } from '../codec/index.ts';
import type { FsmConfig } from './config.ts';
import { isRefusal, type Negotiated, negotiate } from './negotiate.ts';
import { checkOpen, localCapabilities, localOpen } from './open.ts';

const CONFIG: FsmConfig = {
  localAs: asn(64512),
  peerAs: asn(64513),
  routerId: ip4(0xc0000201),
  families: ['ipv4 unicast', 'ipv6 unicast'],
  holdTime: 90,
  minHoldTime: 3,
  sendHoldTime: undefined,
  passive: false,
  openTime: 60_000,
  delayOpen: 0,
  connectRetry: { initial: 2000, max: 30_000 },
  idleHold: { initial: 1000, max: 60_000 },
  refuseAfter: 3,
  stableAfter: 60_000,
  gracefulRestart: { restartTime: 120, restarting: false, forwardingPreserved: false },
  longLivedStaleTime: undefined,
  addPath: { receive: [], send: [] },
  extendedMessage: true,
  extendedNextHop: true,
  role: undefined,
  strictRole: false,
  hostname: undefined,
  domain: undefined,
};

const four = (value: number): Capability => ({ kind: 'four-octet-as', asn: asn(value) });
const mp = (afi: number, safi = 1): Capability => ({ kind: 'multiprotocol', family: { afi, safi } });
const peer = (change: Partial<OpenMessage> = {}): OpenMessage => ({
  kind: 'open',
  version: 4,
  myAs: 64513,
  holdTime: 90,
  routerId: ip4(0xc0000202),
  capabilities: [mp(1), mp(2), four(64513)],
  ...change,
});

describe('localOpen', () => {
  it('offers what is configured', () => {
    const config: FsmConfig = {
      ...CONFIG,
      localAs: asn(4_200_000_000),
      longLivedStaleTime: 3600,
      addPath: { receive: ['ipv4 unicast'], send: ['ipv6 unicast'] },
      role: 'customer',
      hostname: 'edge',
    };
    const open = localOpen(config, false);
    expect(open.myAs).toBe(AS_TRANS);
    expect(open.capabilities.map((c) => c.kind)).toEqual([
      'multiprotocol',
      'multiprotocol',
      'route-refresh',
      'enhanced-route-refresh',
      'four-octet-as',
      'extended-message',
      'extended-next-hop',
      'add-path',
      'graceful-restart',
      'long-lived-graceful-restart',
      'role',
      'fqdn',
    ]);
    expect(open.capabilities.find((c) => c.kind === 'add-path')).toEqual({
      kind: 'add-path',
      families: [
        { afi: 1, safi: 1, send: false, receive: true },
        { afi: 2, safi: 1, send: true, receive: false },
      ],
    });
    expect(localOpen(config, true).capabilities).toEqual([]);
  });

  it('has no role towards an internal peer', () => {
    expect(localCapabilities({ ...CONFIG, role: 'peer', peerAs: 'internal' }).some((c) => c.kind === 'role')).toBe(false);
  });
});

describe('checkOpen', () => {
  const role = (value: number): Capability => ({ kind: 'role', role: value });
  const rows: { name: string; config?: Partial<FsmConfig>; open?: Partial<OpenMessage>; want: string | undefined }[] = [
    { name: 'as expected', want: undefined },
    { name: 'version 3', open: { version: 3 }, want: '2/1 0 4' },
    { name: 'another AS', open: { myAs: 64514, capabilities: [] }, want: '2/2' },
    { name: 'another AS in the capability', open: { capabilities: [four(64514)] }, want: '2/2' },
    { name: 'AS 0 (RFC 7607)', open: { myAs: 0, capabilities: [] }, config: { peerAs: 'any' }, want: '2/2' },
    { name: 'AS 0 in the capability', open: { myAs: AS_TRANS, capabilities: [four(0)] }, config: { peerAs: 'any' }, want: '2/2' },
    { name: 'AS_TRANS without the capability', open: { myAs: AS_TRANS, capabilities: [] }, config: { peerAs: 'any' }, want: '2/2' },
    { name: 'two AS numbers', open: { myAs: 64513, capabilities: [four(64999)] }, config: { peerAs: 'any' }, want: '2/2' },
    {
      name: 'a 4-octet AS',
      open: { myAs: AS_TRANS, capabilities: [four(4_200_000_001)] },
      config: { peerAs: asn(4_200_000_001) },
      want: undefined,
    },
    { name: 'any AS', config: { peerAs: 'any' }, want: undefined },
    { name: 'external and it is', config: { peerAs: 'external' }, want: undefined },
    { name: 'external and it is not', config: { peerAs: 'external', localAs: asn(64513) }, want: '2/2' },
    { name: 'internal and it is not', config: { peerAs: 'internal' }, want: '2/2' },
    { name: 'internal and it is', config: { peerAs: 'internal', localAs: asn(64513) }, want: undefined },
    { name: 'identifier 0 (RFC 6286)', open: { routerId: ip4(0) }, want: '2/3' },
    { name: 'our identifier, external (RFC 6286)', open: { routerId: CONFIG.routerId }, want: undefined },
    {
      name: 'our identifier, internal',
      config: { peerAs: 'internal', localAs: asn(64513) },
      open: { routerId: CONFIG.routerId },
      want: '2/3',
    },
    { name: 'hold time 1', open: { holdTime: 1 }, want: '2/6' },
    { name: 'hold time 2', open: { holdTime: 2 }, want: '2/6' },
    { name: 'hold time 3', open: { holdTime: 3 }, want: undefined },
    { name: 'hold time 0', open: { holdTime: 0 }, want: undefined },
    { name: 'hold time under our least', config: { minHoldTime: 20 }, open: { holdTime: 15 }, want: '2/6' },
    { name: 'no role, none asked', config: { role: 'provider' }, want: undefined },
    { name: 'no role, strict (RFC 9234)', config: { role: 'provider', strictRole: true }, want: '2/11' },
    { name: 'provider and customer', config: { role: 'provider' }, open: { capabilities: [four(64513), role(3)] }, want: undefined },
    { name: 'customer and provider', config: { role: 'customer' }, open: { capabilities: [four(64513), role(0)] }, want: undefined },
    { name: 'route server and client', config: { role: 'rs' }, open: { capabilities: [four(64513), role(2)] }, want: undefined },
    { name: 'client and route server', config: { role: 'rs-client' }, open: { capabilities: [four(64513), role(1)] }, want: undefined },
    { name: 'peer and peer', config: { role: 'peer' }, open: { capabilities: [four(64513), role(4)] }, want: undefined },
    { name: 'two providers', config: { role: 'provider' }, open: { capabilities: [four(64513), role(0)] }, want: '2/11' },
    { name: 'a role without a name', config: { role: 'peer' }, open: { capabilities: [four(64513), role(9)] }, want: '2/11' },
    { name: 'several roles', config: { role: 'peer' }, open: { capabilities: [four(64513), role(4), role(3)] }, want: '2/11' },
    { name: 'a role that we do not use', open: { capabilities: [four(64513), role(0)] }, want: undefined },
  ];
  for (const { name, config, open, want } of rows) {
    it(name, () => {
      const refusal = checkOpen({ ...CONFIG, ...config }, peer(open))?.notification;
      const data = refusal ? [...refusal.data].map((x) => ` ${x}`).join('') : '';
      expect(refusal && `${refusal.code}/${refusal.subcode}${data}`).toBe(want);
    });
  }
});

function agree(config: Partial<FsmConfig>, open: Partial<OpenMessage>): Negotiated {
  const full = { ...CONFIG, ...config };
  const result = negotiate(full, localOpen(full, false), peer(open));
  if (isRefusal(result)) throw new Error(result.detail);
  return result;
}

describe('negotiate', () => {
  it('takes the families that both offer and names the others', () => {
    expect(agree({}, { capabilities: [mp(2), mp(1, 133), four(64513)] })).toMatchObject({
      families: ['ipv6 unicast'],
      missingFamilies: ['ipv4 unicast'],
      receive: { families: ['ipv6 unicast'], fourOctetAs: true, peerKind: 'ebgp' },
    });
  });

  it('takes a peer without multiprotocol capabilities for IPv4 unicast (RFC 4760 section 8)', () => {
    expect(agree({}, { capabilities: [] }).families).toEqual(['ipv4 unicast']);
  });

  it('refuses a peer with no family in common and says which would be needed (RFC 5492)', () => {
    const config: FsmConfig = { ...CONFIG, families: ['ipv6 unicast'] };
    const result = negotiate(config, localOpen(config, false), peer({ capabilities: [mp(1)] }));
    expect(isRefusal(result) && result.notification).toEqual({ code: 2, subcode: 7, data: Uint8Array.of(1, 4, 0, 2, 0, 1) });
  });

  const holds = [
    { ours: 90, theirs: 30, want: [30, 10_000, 480_000] },
    { ours: 9, theirs: 180, want: [9, 3000, 480_000] },
    { ours: 600, theirs: 600, want: [600, 200_000, 1_200_000] },
    { ours: 0, theirs: 90, want: [0, 0, 480_000] },
    { ours: 90, theirs: 0, want: [0, 0, 480_000] },
  ];
  for (const { ours, theirs, want } of holds) {
    it(`hold time ${ours} and ${theirs}`, () => {
      const { holdTime, keepaliveTime, sendHoldTime } = agree({ holdTime: ours }, { holdTime: theirs });
      expect([holdTime, keepaliveTime, sendHoldTime]).toEqual(want);
    });
  }

  it('reads and writes path identifiers only where one offers to send and the other to receive (RFC 7911)', () => {
    const families = [
      { afi: 1, safi: 1, send: true, receive: true },
      { afi: 2, safi: 1, send: false, receive: true },
    ];
    const addPath = { receive: ['ipv4 unicast', 'ipv6 unicast'], send: ['ipv6 unicast'] } as const;
    const result = agree({ addPath }, { capabilities: [mp(1), mp(2), four(64513), { kind: 'add-path', families }] });
    expect(result.receive.addPath).toEqual(['ipv4 unicast']);
    expect(result.send.addPath).toEqual(['ipv6 unicast']);
  });

  it('treats long messages and IPv6 next hops as offers of the one who reads them (RFC 8654, RFC 8950)', () => {
    const offers: Capability[] = [
      { kind: 'extended-message' },
      { kind: 'extended-next-hop', entries: [{ afi: 1, safi: 1, nextHopAfi: 2 }] },
    ];
    const theirs = agree({ extendedMessage: false, extendedNextHop: false }, { capabilities: [mp(1), four(64513), ...offers] });
    expect([theirs.receive.extendedMessage, theirs.receive.extendedNextHop]).toEqual([false, false]);
    expect([theirs.send.extendedMessage, theirs.send.extendedNextHop]).toEqual([true, true]);
    const ours = agree({}, {});
    expect([ours.receive.extendedMessage, ours.receive.extendedNextHop]).toEqual([true, true]);
    expect([ours.send.extendedMessage, ours.send.extendedNextHop]).toEqual([false, false]);
  });

  it('takes the last graceful restart capability and the families in use (RFC 4724 section 3)', () => {
    const restart = (restartTime: number, notification: boolean): Capability => ({
      kind: 'graceful-restart',
      restarting: true,
      notification,
      restartTime,
      families: [
        { afi: 2, safi: 1, forwardingPreserved: true },
        { afi: 1, safi: 133, forwardingPreserved: true },
      ],
    });
    expect(agree({}, { capabilities: [mp(2), four(64513), restart(1, false), restart(90, true)] }).gracefulRestart).toEqual({
      restarting: true,
      notification: true,
      restartTime: 90,
      families: [{ family: 'ipv6 unicast', forwardingPreserved: true }],
    });
    expect(agree({ gracefulRestart: undefined }, { capabilities: [mp(2), restart(90, true)] }).gracefulRestart).toBeUndefined();
  });

  it('has long-lived graceful restart only beside the short one (RFC 9494 section 4.1)', () => {
    const longLived: Capability = {
      kind: 'long-lived-graceful-restart',
      families: [{ afi: 1, safi: 1, forwardingPreserved: false, staleTime: 86_400 }],
    };
    const restart: Capability = { kind: 'graceful-restart', restarting: false, notification: false, restartTime: 0, families: [] };
    const want = [{ family: 'ipv4 unicast', forwardingPreserved: false, staleTime: 86_400 }];
    expect(agree({ longLivedStaleTime: 60 }, { capabilities: [mp(1), longLived, restart] }).longLived).toEqual(want);
    expect(agree({ longLivedStaleTime: 60 }, { capabilities: [mp(1), longLived] }).longLived).toEqual([]);
    expect(agree({}, { capabilities: [mp(1), longLived, restart] }).longLived).toEqual([]);
  });
});
