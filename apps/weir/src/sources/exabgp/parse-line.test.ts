import { readFileSync } from 'node:fs';
import { decodeUpdate, type PathAttributes, prefixAt, sessionContext, type UpdateMessage } from '@weir/bgp/codec';
import { canonicalFlowRule, type FlowRun, flowActions, printFlowAction } from '@weir/bgp/flowspec';
import { parseHex } from '@weir/wire/bytes';
import { asn, parseIp, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KnownAttributes } from './attributes.ts';
import type { ExabgpLine } from './line.ts';
import { parseLine } from './parse-line.ts';

interface Captured {
  readonly label: string;
  /** The message as it was sent to ExaBGP. */
  readonly hex: string;
  readonly 'exabgp-4.2.21': string | null;
  readonly 'exabgp-5.0.13': string | null;
}

const directory = new URL('../../../../../conformance/exabgp/', import.meta.url);
const captures = JSON.parse(readFileSync(new URL('capture.json', directory), 'utf8')) as readonly Captured[];
const sessions = (name: string): readonly string[] => readFileSync(new URL(name, directory), 'utf8').trimEnd().split('\n');
const versions = ['exabgp-4.2.21', 'exabgp-5.0.13'] as const;
const context = sessionContext({ localAs: asn(65000), peerAs: asn(65001), families: ['ipv4 unicast', 'ipv6 unicast'] });

const flowContext = { ...context, families: [...context.families, 'ipv4 flow', 'ipv6 flow'] as const };
const unicast = captures.filter(({ label }) => !/flow|refresh/.test(label));
const flows = captures.filter(({ label }) => /^flow/.test(label) && !/vpn|src offset|bad order|unknown component/.test(label));

const known = new KnownAttributes();

/** As both sides see an UPDATE: without octets, whose order and flags are not told, and with communities in one order, since 5.x sorts them. */
function shown(update: UpdateMessage): unknown {
  const routes = (run: UpdateMessage['withdraw'][number]): readonly string[] =>
    Array.from({ length: run.count }, (_, i) => `${printPrefix(prefixAt(run, i))}${run.pathIds ? ` ${run.pathIds[i]}` : ''}`);
  const { extendedCommunities, unknown, ...rest }: PathAttributes = update.attributes;
  return {
    withdraw: update.withdraw.map((run) => [run.family, routes(run)]),
    announce: update.announce.map(({ nextHop, run }) => [run.family, nextHop, routes(run)]),
    attributes: {
      ...rest,
      extended: extendedCommunities?.map(({ high, low }) => `${high} ${low}`).sort(),
      unknown: unknown?.map(({ flags, type, value }) => [flags, type, [...value]]),
    },
    endOfRib: update.endOfRib,
    errors: update.errors.map(({ message }) => message),
  };
}

function updateOf(line: ExabgpLine): UpdateMessage {
  if (line.kind !== 'update') throw new Error(JSON.stringify(line));
  return line.update;
}

describe.each(versions)('lines of %s', (version) => {
  it.each(unicast.filter((one) => one[version] !== null))('$label: what the codec reads from the wire', (one) => {
    const wire = decodeUpdate(parseHex(one.hex), context);
    expect(shown(updateOf(parseLine(one[version] ?? '')))).toEqual(shown(wire));
    expect(shown(updateOf(parseLine(one[version] ?? '', known)))).toEqual(shown(wire));
  });

  it.each(flows.filter((one) => one[version] !== null))('$label: the rule and what is done are those of the octets', (one) => {
    const wire = decodeUpdate(parseHex(one.hex), flowContext);
    const { announceFlows, withdrawFlows, attributes, errors } = updateOf(parseLine(one[version] ?? ''));
    const rules = (runs: readonly FlowRun[]): readonly string[] =>
      runs.flatMap(({ family, routes }) => routes.map(({ rule }) => `${family} ${canonicalFlowRule(rule).key}`));
    expect(rules(announceFlows.map(({ run }) => run))).toEqual(rules(wire.announceFlows.map(({ run }) => run)));
    expect(rules(withdrawFlows)).toEqual(rules(wire.withdrawFlows));
    expect(announceFlows.length + withdrawFlows.length).toBeGreaterThan(0);
    const actions = flowActions(attributes).map(printFlowAction).sort();
    expect(actions).toEqual(flowActions(wire.attributes).map(printFlowAction).sort());
    if (announceFlows.some(({ nextHop }) => nextHop)) expect(announceFlows[0]?.nextHop).toEqual(wire.announceFlows[0]?.nextHop);
    expect(errors).toEqual([]);
  });

  it('a rate of half an octet is not one of none, though its text says so', () => {
    const line = captures.find(({ label }) => label === 'flow4 rate frac')?.[version] ?? '';
    expect(line).toContain('rate-limit:0');
    expect(flowActions(updateOf(parseLine(line)).attributes)).toMatchObject([{ kind: 'rate-bytes', rate: 0.5 }]);
  });

  it('every captured line is understood', () => {
    const lines = captures.flatMap((one) => one[version] ?? []);
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.map((line) => parseLine(line)).filter(({ kind }) => kind === 'bad')).toEqual([]);
  });

  it('a flow whose routes ExaBGP could not read is an error, not nothing', () => {
    const malformed = captures.filter(({ label }) => /src offset|bad order|unknown component/.test(label));
    expect(malformed).toHaveLength(3);
    for (const one of malformed) {
      const { errors, announce, withdraw } = updateOf(parseLine(one[version] ?? ''));
      expect({ errors: errors.map(({ action }) => action), announce, withdraw }).toEqual({
        errors: ['treat-as-withdraw'],
        announce: [],
        withdraw: [],
      });
    }
  });

  it('an extended community keeps its 64 bits', () => {
    const line = captures.find(({ label }) => label === 'v4 announce ext4')?.[version] ?? '';
    expect(line).toContain('4828137977710379108');
    expect(updateOf(parseLine(line)).attributes.extendedCommunities).toContainEqual({ high: 0x4300fde9, low: 0x00000064 });
  });

  it('a refresh line is read though 4.2 writes no JSON', () => {
    const line = captures.find(({ label }) => label === 'route refresh')?.[version] ?? '';
    expect(parseLine(line)).toEqual({ kind: 'other' });
    expect(parseLine(line.replace('query', 'end'))).toMatchObject({ kind: 'refresh', family: 'ipv4 unicast', subtype: 'end' });
  });
});

describe.each([
  { name: 'exabgp42_session_minimal.jsonl', resets: ['exabgp 1,0', ''], routes: ['198.51.100.0/24'] },
  { name: 'exabgp50_session_minimal.jsonl', resets: ['peer 6,2', ''], routes: ['198.51.100.0/24'] },
])('a session: $name', ({ name, resets, routes }) => {
  it('reads as states, routes, the end of the table and the shutdown', () => {
    const lines = sessions(name).map((line) => parseLine(line));
    expect(lines.map(({ kind }) => kind)).toEqual(['connected', 'up', 'update', 'update', 'down', 'connected', 'down', 'shutdown']);
    const endings = lines.flatMap((line) => (line.kind === 'down' ? [line.ending.notification] : []));
    expect(endings.map((n) => (n ? `${n.by} ${n.code},${n.subcode}` : ''))).toEqual(resets);
    const [first, second] = lines.flatMap((line) => (line.kind === 'update' ? [line.update] : []));
    expect(first?.announce.flatMap(({ run }) => [printPrefix(prefixAt(run, 0))])).toEqual(routes);
    expect(second?.endOfRib).toBe('ipv4 unicast');
    expect(lines[1]).toMatchObject({ neighbor: { peer: parseIp('127.0.0.1'), local: '127.0.0.1', peerAs: 65001, localAs: 65000 } });
  });
});

describe.each(['exabgp42_consolidate_addpath.jsonl', 'exabgp50_consolidate_addpath.jsonl'])('consolidated: %s', (name) => {
  const lines = sessions(name);

  it('the octets are decoded by the codec, with what was negotiated', () => {
    const parsed = lines.map((line) => parseLine(line));
    expect(parsed.filter(({ kind }) => kind === 'bad')).toEqual([]);
    const updates = parsed.flatMap((line) => (line.kind === 'update' ? [line] : []));
    expect(updates[0]?.agreement).toMatchObject({
      fourOctetAs: true,
      addPath: ['ipv4 unicast', 'ipv6 unicast'],
      routeRefresh: true,
      holdTime: 180,
    });
    expect(shown(updates[0]!.update)).toMatchObject({
      announce: [['ipv4 unicast', { address: parseIp('192.0.2.1') }, ['198.51.100.0/24 7', '198.51.100.0/24 8']]],
    });
    expect(shown(updates[1]!.update)).toMatchObject({ withdraw: [['ipv4 unicast', ['198.51.100.0/24 7']]] });
  });

  it('what is printed reads the same as the octets', () => {
    const both = lines.filter((line) => line.includes('"body"') && !line.includes(' flow": {'));
    expect(both).toHaveLength(2);
    for (const line of both) {
      const printed = line.replace(/"header": "\w+", "body": "\w+", /, '');
      expect(printed).not.toBe(line);
      expect(shown(updateOf(parseLine(printed)))).toEqual(shown(updateOf(parseLine(line))));
    }
  });

  it('octets that the codec cannot read are a bad line', () => {
    const line = lines.find((one) => one.includes('"body"')) ?? '';
    expect(parseLine(line.replace('"body": "0x0000', '"body": "0xFFFF'))).toMatchObject({ kind: 'bad' });
    expect(parseLine(line.replace('"body": "0x0000', '"body": "0xZZZZ'))).toMatchObject({
      kind: 'bad',
      message: 'body is not hexadecimal',
    });
  });
});

const envelope = (rest: string, neighbor = ''): string =>
  `{ "exabgp": "4.0.1", "type": "update", "neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 64512, "peer": 64513 } ${neighbor}, "message": ${rest} } }`;
const announced = (attribute: string, announce: string): string =>
  envelope(
    `{ "update": { "attribute": { "origin": "igp", "as-path": [ 64513 ]${attribute} }, "announce": ${announce} } }`,
    ', "direction": "receive"',
  );
const one = '{ "ipv4 unicast": { "192.0.2.2": [ { "nlri": "203.0.113.0/24" } ] } }';

describe('what lines may also say', () => {
  it.each([
    { name: 'the answer to a command', line: 'done', want: { kind: 'answer', ok: true } },
    { name: 'a refused command', line: 'error', want: { kind: 'answer', ok: false } },
    {
      name: 'the head of a summary',
      line: 'Peer            AS        up/down state       |     #sent     #recvd',
      want: { kind: 'text', routes: false },
    },
    {
      name: 'a session that is up',
      line: '192.0.2.1       64512     0:00:02 established           2          1',
      want: { kind: 'established', peer: parseIp('192.0.2.1'), peerAs: 64512 },
    },
    {
      name: 'one that is up for days, over IPv6',
      line: '2001:db8::1 64512 1 day, 0:00:02 established 2 1',
      want: { kind: 'established', peer: parseIp('2001:db8::1'), peerAs: 64512 },
    },
    {
      name: 'one that is down',
      line: '192.0.2.1       64512          down idle           0          0',
      want: { kind: 'text', routes: false },
    },
    { name: 'an empty line', line: '', want: { kind: 'text', routes: false } },
    {
      name: 'the text encoder',
      line: 'neighbor 192.0.2.1 receive update announced 203.0.113.0/24 next-hop self',
      want: { kind: 'text', routes: true },
    },
    { name: 'broken JSON', line: '{ "exabgp": "4.0.1", "type": "upd', want: { kind: 'bad', message: 'not JSON' } },
    { name: 'no type', line: '{}', want: { kind: 'bad', message: 'type is not text' } },
    { name: 'a signal', line: '{ "type": "signal", "neighbor": {} }', want: { kind: 'other' } },
    {
      name: 'the notification of a peer',
      line: '{ "type": "notification", "neighbor": {}, "notification": "shutdown" }',
      want: { kind: 'other' },
    },
    { name: 'what ExaBGP sends', line: envelope('{}', ', "direction": "send"'), want: { kind: 'other' } },
    { name: 'an update that says nothing', line: envelope('{ "update": {  } }'), want: { kind: 'other' } },
    {
      name: 'a family that Weir has no name for',
      line: announced('', '{ "ipv4 mpls-vpn": { "192.0.2.2": [ { "nlri": "x" } ] } }'),
      want: { kind: 'other' },
    },
    {
      name: 'a community of 17 bits',
      line: announced(', "community": [ [ 65536, 1 ] ]', one),
      want: { kind: 'bad', message: 'community is not an integer of 0-65535' },
    },
    {
      name: 'a prefix that is none',
      line: announced('', '{ "ipv4 unicast": { "192.0.2.2": [ { "nlri": "203.0.113.0/33" } ] } }'),
      want: { kind: 'bad', message: 'a route is not a prefix' },
    },
    {
      name: 'a prefix of the other family',
      line: announced('', '{ "ipv4 unicast": { "192.0.2.2": [ { "nlri": "2001:db8::/32" } ] } }'),
      want: { kind: 'bad', message: 'ipv4 unicast has an IPv6 prefix' },
    },
    {
      name: 'a next hop that is none',
      line: announced('', '{ "ipv4 unicast": { "x": [ { "nlri": "203.0.113.0/24" } ] } }'),
      want: { kind: 'bad', message: 'a next hop is not an address' },
    },
    {
      name: 'a number of 65 bits',
      line: announced(', "extended-community": [ { "value": 18446744073709551616 } ]', one),
      want: { kind: 'bad', message: 'extended-community has more than 64 bits' },
    },
  ])('$name', ({ line, want }) => {
    expect(parseLine(line)).toEqual(want);
  });

  it('routes without keys, as api.compact prints them', () => {
    const line = announced('', '{ "ipv4 unicast": { "192.0.2.2": [ "203.0.113.0/24" ] } }');
    expect(shown(updateOf(parseLine(line)))).toEqual(shown(updateOf(parseLine(announced('', one)))));
  });

  it('a global and a link-local next hop are one', () => {
    const list = '[ { "nlri": "2001:db8:1::/48" }, { "nlri": "2001:db8:2::/48" } ]';
    const { announce } = updateOf(parseLine(announced('', `{ "ipv6 unicast": { "2001:db8::1": ${list}, "fe80::1": ${list} } }`)));
    expect(announce).toHaveLength(1);
    expect(announce[0]).toMatchObject({ nextHop: { address: parseIp('2001:db8::1'), linkLocal: parseIp('fe80::1') }, run: { count: 2 } });
  });

  it('what ExaBGP treats as withdrawn is withdrawn', () => {
    const { announce, withdraw } = updateOf(parseLine(announced(', "error": "attribute"', one)));
    expect({ announce, count: withdraw[0]?.count }).toEqual({ announce: [], count: 1 });
  });

  it('a next hop that is no host withdraws the routes, as one on the wire does', () => {
    const zero = '{ "ipv4 unicast": { "0.0.0.0": [ { "nlri": "203.0.113.0/24" } ] } }';
    const { announce, withdraw, errors } = updateOf(parseLine(announced('', zero)));
    expect({ announce, count: withdraw[0]?.count, actions: errors.map(({ action }) => action) }).toEqual({
      announce: [],
      count: 1,
      actions: ['treat-as-withdraw'],
    });
  });

  it('ONLY_TO_CUSTOMER, which ExaBGP does not know, is an attribute that Weir knows', () => {
    const { attributes } = updateOf(parseLine(announced(', "attribute-0x23-0xE0": "0x0000FC01"', one)));
    expect(attributes).toMatchObject({ onlyToCustomer: 64513 });
  });

  it('IPv6 extended communities of both versions', () => {
    const want = [{ typeHigh: 0, typeLow: 12, address: parseIp('2001:db8::1'), local: 0 }];
    for (const text of [
      '"attribute-0x19-0xC0": "redirect-to-nexthop-ietf 2001:db8::1"',
      '"extended-community-ipv6": [ { "value": 270396894049897293703898678829571923249266688, "string": "" } ]',
    ])
      expect(updateOf(parseLine(announced(`, ${text}`, one))).attributes.ipv6ExtendedCommunities).toEqual(want);
  });

  it.each([
    { name: 'the length of a shutdown communication', reason: 'error(Cease / Administrative Reset / \u0014Administrative Reset)' },
    { name: 'a backslash at the end', reason: 'error(bye \\)' },
    { name: 'an escape that is none', reason: 'error(\\q)' },
  ])('a reason with $name is no reason to miss the end of a session', ({ reason }) => {
    const line = `{ "type": "state", "neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 1, "peer": 2 } , "state": "down", "reason": "notification sent (6,4) ${reason}`;
    const want = {
      kind: 'down',
      ending: { text: `notification sent (6,4) ${reason}`, notification: { by: 'exabgp', code: 6, subcode: 4 } },
    };
    expect(parseLine(`${line}" } }`)).toMatchObject(want);
    // The peer wrote a line break there.
    expect(parseLine(line)).toMatchObject(want);
  });

  it('a quoted "value" in a text is not touched', () => {
    const reason = 'down (\\"value\\": 12345678901234567890)';
    const line = `{ "type": "state", "neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 1, "peer": 2 }, "state": "down", "reason": "${reason}" } }`;
    expect(parseLine(line)).toMatchObject({
      kind: 'down',
      ending: { text: 'down ("value": 12345678901234567890)', notification: undefined },
    });
  });
});

describe('lines that are damaged', () => {
  const all = [...captures.flatMap((c) => versions.flatMap((v) => c[v] ?? [])), ...sessions('exabgp42_consolidate_addpath.jsonl')];

  it('cut anywhere, never throw', () => {
    for (const line of all.slice(0, 20)) for (let i = 0; i < line.length; i += 7) expect(() => parseLine(line.slice(0, i))).not.toThrow();
  });

  it('with any change, never throw and never announce what is no prefix', () => {
    const piece = fc.constantFrom(
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-1',
      '1e99',
      'null',
      '999999999999999999999',
      '\\',
      '0x',
      '/',
      'true',
    );
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.nat(), fc.nat(12), piece, (line, at, length, text) => {
        const from = at % line.length;
        const parsed = parseLine(line.slice(0, from) + text + line.slice(from + length));
        if (parsed.kind !== 'update') return true;
        return parsed.update.announce.every(({ run }) => [...run.lengths.subarray(0, run.count)].every((n) => n <= 128));
      }),
      { numRuns: 3000 },
    );
  });

  it('of any JSON, never throw', () => {
    fc.assert(fc.property(fc.json(), (json) => void parseLine(json)));
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('type', 'neighbor', 'message', 'notification'), fc.jsonValue()),
        (v) => void parseLine(JSON.stringify(v)),
      ),
    );
  });
});
