import { expect, test } from 'vitest';
import { DEFAULT_FLOWSPEC } from '../../model/flow.ts';
import { loadText } from './memory-files.ts';

const load = (flowspec: string, more = '') =>
  loadText(`bgp:
  as: 64512
  router_id: 192.0.2.2
  peers: [{ name: core, address: 192.0.2.1, as: 64513, families: [ipv4 flow] }]
flowspec: { guards: [{ peers: [core], actions: [redirect] }], ${flowspec} }
${more}`);

const problems = (...given: Parameters<typeof load>): readonly string[] =>
  load(...given)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code, message }) => `${code} ${message}`);

test('what redirects are routed by', () => {
  expect(load('at: prerouting').config?.flowspec?.routing).toEqual(DEFAULT_FLOWSPEC.routing);
  const { flowspec } =
    load('redirects: [{ target: "64512:80", table: 100 }, { target: "64512:81" }], routing: { next_hops: 8, first_table: 900 }').config ??
    {};
  expect(flowspec?.redirects.map(({ target, table }) => [target, table])).toEqual([
    ['64512:80', 100],
    ['64512:81', undefined],
  ]);
  expect(flowspec?.routing).toEqual({ ...DEFAULT_FLOWSPEC.routing, most: 8, firstTable: 900 });
});

const TARGETS = 'redirects: [{ target: "64512:80", table: 7910 }, { target: "64512:81", table: 100 }]';

test.each([
  { name: 'the tables of addresses', flowspec: TARGETS, want: 'E026 table 7910 is one of those of redirects to addresses, 7900 to 7963' },
  { name: 'fewer of them', flowspec: `${TARGETS}, routing: { next_hops: 10 }`, want: undefined },
  {
    name: 'the marks of route targets',
    flowspec: 'redirects: [{ target: "64512:80" }, { target: "64512:81" }], routing: { first_mark: 0x0f100001 }',
    want: 'E026 the marks of redirects to addresses, from 0xf100001 on, are those of flowspec.redirects, from 0xf100000 on',
  },
  { name: 'the marks behind them', flowspec: 'redirects: [{ target: "64512:80" }], routing: { first_mark: 0x0f100001 }', want: undefined },
  {
    name: 'marks up to those',
    flowspec: 'redirects: [{ target: "64512:80" }], routing: { first_mark: 0x0f0fffff }',
    want: 'E026 the marks',
  },
  {
    name: 'no way in at tc',
    flowspec: 'at: tc',
    more: 'ebpf: { tc: { egress: [eth0] } }',
    want: 'E026 packets that leave are routed already',
  },
  { name: 'a way in at tc', flowspec: 'at: tc', more: 'ebpf: { tc: { ingress: [eth0], egress: [eth0] } }', want: undefined },
])('$name', ({ flowspec, more, want }) => {
  expect(problems(flowspec, more)).toEqual(want === undefined ? [] : [expect.stringContaining(want)]);
});
