import { printPrefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { BLACKHOLE, NO_EXPORT } from '../../model/blackhole.ts';
import { loadText } from './memory-files.ts';

interface Given {
  readonly guard?: string;
  readonly sets?: string;
  readonly flowspec?: string;
  readonly blackholes?: string;
}

const BASE = `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: core, address: 192.0.2.1, as: 64512, families: [ipv4 unicast, ipv4 flow, ipv6 flow] }
    - { name: upstream, address: 192.0.2.3, as: 64496 }
    - { name: detector, address: 192.0.2.4, as: 64512, families: [ipv4 flow] }
    - { name: other, address: 192.0.2.5, as: 64512, via: exabgp }
`;

function load({ guard = '{ peers: [core] }', flowspec, blackholes, sets = 'blackholed' }: Given) {
  const set = `sets:\n  ${sets}: { kind: deny, communities: [blackhole], guard: ${guard} }\n`;
  return loadText(
    `${BASE}${set}${flowspec === undefined ? '' : `flowspec: ${flowspec}\n`}${blackholes === undefined ? '' : `blackholes: ${blackholes}\n`}`,
  );
}

/** What is wrong: codes and messages. */
function wrong(given: Given): readonly string[] {
  return load(given).diagnostics.map(({ code, message }) => `${code} ${message}`);
}

const ANNOUNCE = 'announce: { peers: [upstream], prefixes: [203.0.113.0/24] }';

describe('blackhole routes in the configuration', () => {
  test('what is not said is as RFC 7999 has it', () => {
    const { blackholes } =
      load({ flowspec: '{ from_sets: [{ set: blackholed, enforce: true }] }', blackholes: `{ ${ANNOUNCE} }` }).config ?? {};
    expect(blackholes?.fromFlows).toBeUndefined();
    expect(blackholes?.announce).toMatchObject({
      peers: ['upstream'],
      minLength: { 4: 32, 6: 128 },
      maxRoutes: 100,
      maxTime: undefined,
      communities: [
        { kind: 'standard', value: BLACKHOLE },
        { kind: 'standard', value: NO_EXPORT },
      ],
      nextHop: { 4: undefined, 6: undefined },
    });
  });

  test('all of it', () => {
    const { config, diagnostics } = load({
      guard: '{ peers: [core], prefixes_of: { core: [203.0.113.0/25] } }',
      flowspec:
        '{ from_sets: [{ set: blackholed, as: source, match: "proto 17; sport 53", actions: [rate-packets 5], peers: [core], prefixes: [203.0.113.0/24], min_length: { ipv4: 32 }, max_rules: 7, churn: { rate: 1, burst: 2 } }] }',
      blackholes:
        '{ announce: { peers: [upstream, core], prefixes: [203.0.113.0/24], min_length: { ipv4: 25 }, communities: ["64496:666", "64496:1:2"], next_hop: [192.0.2.66, "100::1"], max_routes: 5, max_time: 1h }, from_flows: { peers: [detector], to: [core], max_routes: 3 } }',
    });
    expect(diagnostics).toEqual([]);
    const [entry] = config?.flowspec?.fromSets ?? [];
    expect(entry).toMatchObject({
      set: 'blackholed',
      as: 'source',
      enforce: false,
      peers: ['core'],
      maxRules: 7,
      churn: { rate: 1, burst: 2 },
    });
    expect([entry?.match[4]?.map(({ kind }) => kind), entry?.match[6]?.length, entry?.actions[0]?.kind, entry?.minLength]).toEqual([
      ['protocol', 'source-port'],
      2,
      'rate-packets',
      { 4: 32, 6: 48 },
    ]);
    expect(config?.blackholes?.announce).toMatchObject({ maxRoutes: 5, maxTime: 3_600_000, minLength: { 4: 25, 6: 128 } });
    expect(config?.blackholes?.fromFlows).toMatchObject({ from: ['detector'], own: false, peers: ['core'], maxRoutes: 3 });
    const [of] = config?.sets[0]?.guard.prefixesOf ?? [];
    expect([of?.peer, of?.prefixes.map(printPrefix)]).toEqual(['core', ['203.0.113.0/25']]);
  });

  test.each<Given & { readonly name: string; readonly want: string }>([
    {
      name: 'a set that is not there',
      flowspec: '{ from_sets: [{ set: blackhole, enforce: true }] }',
      want: 'E024 no set is named blackhole',
    },
    { name: 'nobody gets the rules', flowspec: '{ from_sets: [{ set: blackholed }] }', want: 'E012 peers is required, or enforce: true' },
    {
      name: 'a peer that hears no flow rules',
      flowspec: '{ from_sets: [{ set: blackholed, peers: [upstream] }] }',
      want: 'E026 no flow rules are spoken of with upstream',
    },
    {
      name: 'the side of the member again',
      flowspec: '{ from_sets: [{ set: blackholed, enforce: true, match: "dst 203.0.113.0/24" }] }',
      want: 'E026 the destination of a rule is the member',
    },
    {
      name: 'what is no component',
      flowspec: '{ from_sets: [{ set: blackholed, enforce: true, match: "prot 17" }] }',
      want: 'E017 not components of a flow rule',
    },
    {
      name: 'what is no action',
      flowspec: '{ from_sets: [{ set: blackholed, enforce: true, actions: [drop] }] }',
      want: 'E017 not an action of a flow rule',
    },
    { name: 'nobody may be told', blackholes: '{ announce: { prefixes: [203.0.113.0/24] } }', want: 'E007 peers is missing' },
    { name: 'nothing may be blackholed', blackholes: '{ announce: { peers: [upstream] } }', want: 'E007 prefixes is missing' },
    {
      name: 'a peer that is not there',
      blackholes: '{ announce: { peers: [upstreams], prefixes: [203.0.113.0/24] } }',
      want: 'E023 there is no peer "upstreams"',
    },
    {
      name: 'a session without prefixes',
      blackholes: '{ announce: { peers: [detector], prefixes: [203.0.113.0/24] } }',
      want: 'E026 no prefixes are spoken of with detector',
    },
    { name: 'a session of ExaBGP', blackholes: '{ announce: { peers: [other], prefixes: [203.0.113.0/24] } }', want: 'E026 ExaBGP holds' },
    {
      name: 'no community',
      blackholes: '{ announce: { peers: [upstream], prefixes: [203.0.113.0/24], communities: ["rt:1:2"] } }',
      want: 'E017 not a community',
    },
    {
      name: 'told is who may not be',
      flowspec: '{}',
      blackholes: `{ ${ANNOUNCE}, from_flows: { peers: [detector], to: [core] } }`,
      want: 'E023 announce.peers does not name "core"',
    },
    {
      name: 'rules that nobody makes',
      flowspec: '{}',
      blackholes: `{ ${ANNOUNCE}, from_flows: { own: true } }`,
      want: 'E012 flowspec.announce is required',
    },
    {
      name: 'rules that are never in force',
      blackholes: `{ ${ANNOUNCE}, from_flows: { peers: [detector] } }`,
      want: 'E012 flowspec is required',
    },
    {
      name: 'back to the only one that it can be from',
      flowspec: '{}',
      blackholes: '{ announce: { peers: [core], prefixes: [203.0.113.0/24] }, from_flows: { peers: [core] } }',
      want: 'E053 routes made of the rules of core would go to core alone',
    },
    {
      name: 'a loop over two peers',
      guard: '{ peers: [upstream] }',
      flowspec: '{ from_sets: [{ set: blackholed, peers: [core] }] }',
      blackholes: `{ ${ANNOUNCE}, from_flows: { peers: [core] } }`,
      want: 'E053 a loop: members of blackholed are flow rules for core, its rules are blackhole routes for upstream, and those fill blackholed',
    },
    {
      name: 'prefixes of a peer that is not there',
      guard: '{ prefixes_of: { cores: [203.0.113.0/24] } }',
      flowspec: '{ from_sets: [{ set: blackholed, enforce: true }] }',
      want: 'E023 no peer is named cores',
    },
    {
      name: 'prefixes of a peer that fills nothing',
      guard: '{ peers: [core], prefixes_of: { upstream: [203.0.113.0/24] } }',
      flowspec: '{ from_sets: [{ set: blackholed, enforce: true }] }',
      want: 'W003 guard.peers does not name upstream',
    },
  ])('is told: $name', ({ want, flowspec = '{ from_sets: [{ set: blackholed, enforce: true }] }', ...given }) => {
    const own = { ...given, flowspec: given.name === 'rules that are never in force' ? undefined : flowspec };
    expect(wrong(own as Given)).toContainEqual(expect.stringContaining(want));
  });

  test('no loop: the set is not filled by who is told, or not with what is announced', () => {
    const flowspec = '{ from_sets: [{ set: blackholed, peers: [core] }] }';
    expect(wrong({ flowspec, blackholes: `{ ${ANNOUNCE}, from_flows: { peers: [core] } }` })).toEqual([]);
    const announce = 'announce: { peers: [upstream], prefixes: [203.0.113.0/24], communities: ["64496:666"] }';
    expect(wrong({ guard: '{ peers: [upstream] }', flowspec, blackholes: `{ ${announce}, from_flows: { peers: [core] } }` })).toEqual([]);
  });

  test('a set needs no table where flow rules at prerouting have one', () => {
    expect(wrong({ flowspec: '{ from_sets: [{ set: blackholed, enforce: true }] }' })).toEqual([]);
    expect(wrong({ flowspec: '{}' })[0]).toContain('E012 nft is required');
  });
});
