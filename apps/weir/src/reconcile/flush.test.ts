import { closeAttribute, NLA_F_NESTED, openAttribute, putBytes, putU8, putU16 } from '@weir/netlink/message';
import { Writer } from '@weir/wire/bytes';
import { ip, ipBytes } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import { readExpression } from '../compile/judgement/read-expression.ts';
import { testRule } from '../compile/test-rule.ts';
import type { KernelRoutes, TrackedConnection } from '../kernel/backend.ts';
import type { Lifeline } from '../model/flush.ts';
import type { Rule } from '../model/rule.ts';
import { flushStates } from './flush.ts';

const CLIENT = '198.51.100.7';
const SERVER = '203.0.113.5';
const PUBLIC = '192.0.2.80';

/** CTA_TUPLE_ORIG of a TCP connection: addresses (1), then protocol and ports (2). */
function tuple(from: string, to: string, port: number): Uint8Array {
  const w = new Writer();
  const addresses = openAttribute(w, 1 | NLA_F_NESTED);
  putBytes(w, 1, ipBytes(ip(from)));
  putBytes(w, 2, ipBytes(ip(to)));
  closeAttribute(w, addresses);
  const proto = openAttribute(w, 2 | NLA_F_NESTED);
  putU8(w, 1, 6);
  putU16(w, 2, 50_000);
  putU16(w, 3, port);
  closeAttribute(w, proto);
  return w.finish();
}

function tracked(
  port: number,
  more: Partial<TrackedConnection> & { readonly to?: string; readonly zone?: number } = {},
): TrackedConnection {
  const { to = SERVER, zone, ...rest } = more;
  return { key: { family: 2, tuple: tuple(CLIENT, to, port), id: port, zone }, reply: undefined, expected: false, ...rest };
}

function rule(text: string, kind: 'allow' | 'deny'): Rule {
  const expression: Rule['expression'] = text === '' ? { kind: 'constant', value: true } : readExpression(text, new Set());
  return testRule(text, expression, { kind }, { name: text === '' ? '<default>' : text, priority: 0, text });
}

const routes: KernelRoutes = {
  isLocal: () => false,
  to: ({ w0 }) => ({ kind: 'out', interfaces: [w0 === ip(CLIENT).w0 ? 'eth0' : 'wg0'] }),
  close: () => undefined,
};

interface Run {
  readonly deleted: number[][];
  readonly report: Awaited<ReturnType<typeof flushStates>>;
}

async function run(connections: readonly TrackedConnection[], lifelines: readonly Lifeline[] = [], now = (): number => 0): Promise<Run> {
  const deleted: number[][] = [];
  const report = await flushStates({
    backend: {
      listConnections: () => ({ connections, total: connections.length }),
      deleteConnections: (list) => {
        if (list.length > 0) deleted.push(list.map(({ key }) => key.id ?? 0));
        return list.length;
      },
      openRoutes: () => routes,
    },
    hooks: [
      {
        hook: 'forward',
        priority: 0,
        rules: [
          rule('tcp.dstport == 443 and iif.name == "eth0"', 'allow'),
          rule('ct.related', 'allow'),
          rule('tcp.dstport == 53 and ip.ttl > 60', 'allow'),
          rule('', 'deny'),
        ],
      },
    ],
    lists: { has: () => false },
    lifelines,
    now,
    pause: async () => undefined,
  });
  return { deleted, report };
}

test('what is denied is cut, what is in doubt goes on', async () => {
  const { deleted, report } = await run([
    tracked(443),
    tracked(22),
    tracked(53),
    tracked(25, { expected: true }),
    tracked(80, { zone: 3 }),
  ]);
  expect(deleted).toEqual([[22]]);
  expect(report).toEqual({
    tracked: 5,
    cut: 1,
    allowed: 2,
    doubtful: 2,
    protected: 0,
    left: 0,
    examples: [
      'tcp 198.51.100.7:50000 -> 203.0.113.5:53: forward tcp.dstport == 53 and ip.ttl > 60',
      'tcp 198.51.100.7:50000 -> 203.0.113.5:80: it is tracked in another zone',
    ],
  });
});

test('a translated connection is judged by where it goes', async () => {
  const reply = (port: number): TrackedConnection['reply'] => ({
    source: ip(SERVER),
    destination: ip(CLIENT),
    protocol: 6,
    sourcePort: port,
    destinationPort: 50_000,
  });
  const { deleted, report } = await run([tracked(8443, { to: PUBLIC, reply: reply(443) }), tracked(443, { to: PUBLIC, reply: reply(22) })]);
  expect(deleted).toEqual([[443]]);
  expect(report).toMatchObject({ cut: 1, allowed: 1 });
});

const end = (address: string, port?: number): Lifeline['one'] => ({ address: ip(address), port });

test.each([
  { name: 'all four', line: { one: end(CLIENT, 50_000), other: end(SERVER, 22) }, cut: [] },
  { name: 'any port of a peer', line: { one: end(SERVER, 22), other: end(CLIENT) }, cut: [] },
  { name: 'another port', line: { one: end(CLIENT, 50_001), other: end(SERVER, 22) }, cut: [[22]] },
  { name: 'another server', line: { one: end(CLIENT, 50_000), other: end(PUBLIC, 22) }, cut: [[22]] },
])('a lifeline is not cut: $name', async ({ line, cut }) => {
  const { deleted, report } = await run([tracked(22)], [line]);
  expect(deleted).toEqual(cut);
  expect(report).toMatchObject(cut.length === 0 ? { cut: 0, protected: 1 } : { cut: 1, protected: 0 });
});

test('it goes in parts, and ends in time', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => tracked(1000 + i));
  expect((await run(many)).deleted.map((part) => part.length)).toEqual([256, 256, 256, 232]);
  let clock = 0;
  const late = await run(many, [], () => {
    clock += 100;
    return clock;
  });
  expect(late.report.left).toBeGreaterThan(500);
  expect(late.report.cut + late.report.left).toBe(1000);
  expect(late.deleted.flat().length).toBe(late.report.cut);
});
