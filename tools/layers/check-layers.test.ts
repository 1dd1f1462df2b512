import { expect, test } from 'vitest';
import { checkImports, type Workspace } from './check-layers.ts';

const workspaces: readonly Workspace[] = [
  { folder: 'packages/wire', name: '@weir/wire', dependencies: [] },
  { folder: 'packages/sys', name: '@weir/sys', dependencies: ['koffi', '@weir/wire'] },
  { folder: 'packages/bgp', name: '@weir/bgp', dependencies: ['@weir/wire', '@weir/sys', '@weir/netlink'] },
  { folder: 'packages/netlink', name: '@weir/netlink', dependencies: ['@weir/wire'] },
  { folder: 'apps/weir', name: 'weir', dependencies: ['@weir/wire', '@weir/bgp', 'zod'] },
];

const rows: { input: [string, string | undefined]; want: string[] }[] = [
  { input: ['packages/bgp/src/codec/a.ts', '@weir/wire/bytes'], want: [] },
  {
    input: ['packages/bgp/src/session/a.ts', '@weir/netlink/socket'],
    want: ['imports @weir/netlink, which is not to the left of @weir/bgp'],
  },
  { input: ['packages/wire/src/inet/a.ts', '@weir/sys'], want: ['imports @weir/sys, which is not to the left of @weir/wire'] },
  {
    input: ['packages/netlink/src/socket/a.ts', '@weir/sys'],
    want: ['imports @weir/sys, which packages/netlink/package.json does not declare'],
  },
  { input: ['packages/bgp/src/session/a.ts', 'weir'], want: ['imports weir, which is not to the left of @weir/bgp'] },
  {
    input: ['packages/bgp/src/codec/a.ts', '../../../wire/src/bytes/index.ts'],
    want: ['imports packages/wire/src/bytes/index.ts by path: across packages import by package name'],
  },
  {
    input: ['packages/bgp/src/codec/a.ts', '@weir/bgp/fsm'],
    want: ['imports its own package by name (@weir/bgp/fsm): use a relative path'],
  },
  { input: ['packages/bgp/src/codec/a.ts', '../session/index.ts'], want: ['imports session, which is above codec'] },
  { input: ['packages/bgp/src/session/a.ts', '../codec/index.ts'], want: [] },
  { input: ['packages/bgp/src/fsm/a.ts', 'node:net'], want: ['imports node:net, but packages/bgp/src/fsm is pure'] },
  { input: ['packages/bgp/src/fsm/a.test.ts', 'node:fs'], want: [] },
  { input: ['packages/bgp/src/session/a.ts', 'net'], want: ['imports net without the node: prefix'] },
  { input: ['packages/bgp/src/session/a.ts', 'koffi'], want: ['imports koffi: native calls are made in @weir/sys alone'] },
  { input: ['packages/sys/src/a.ts', 'koffi'], want: [] },
  { input: ['test/lab/a.ts', 'koffi'], want: ['imports koffi: native calls are made in @weir/sys alone'] },
  { input: ['packages/bgp/src/codec/a.test.ts', 'fast-check'], want: [] },
  { input: ['packages/bgp/src/codec/a.ts', 'fast-check'], want: ['imports fast-check, which packages/bgp/package.json does not declare'] },
  { input: ['apps/weir/src/model/a.ts', '../state/b.ts'], want: ['imports state, which is above model'] },
  { input: ['apps/weir/src/state/a.ts', '../model/b.ts'], want: [] },
  {
    input: ['apps/weir/src/kernel/nft/a.ts', '../../state/b.ts'],
    want: ['imports state, which is beside kernel: what they share belongs below them'],
  },
  { input: ['apps/weir/src/kernel/nft/a.ts', '../fake/b.ts'], want: [] },
  { input: ['apps/weir/src/cli/a.ts', '../main.ts'], want: ['imports main.ts, which is above cli'] },
  { input: ['apps/weir/src/main.ts', './cli/a.ts'], want: [] },
  { input: ['apps/weir/src/main.test.ts', './main.ts'], want: [] },
  { input: ['apps/weir/src/cli/a.ts', '../colour.ts'], want: ['imports colour.ts, which has no level in rules.ts'] },
  { input: ['apps/weir/src/colour.ts', './model/a.ts'], want: ['is in colour.ts, which has no level in rules.ts'] },
  { input: ['apps/weir/src/cli/a.ts', undefined], want: ['imports a computed module, which no layer check can see'] },
  { input: ['bench/run.ts', undefined], want: [] },
  {
    input: ['apps/weir/src/cli/a.ts', '../../../../test/lab/index.ts'],
    want: ['imports test/lab/index.ts by path: across packages import by package name'],
  },
  { input: ['test/e2e/a.ts', '../../apps/weir/src/main.ts'], want: [] },
  {
    input: ['test/e2e/a.ts', '../../packages/wire/src/bytes/index.ts'],
    want: ['imports packages/wire/src/bytes/index.ts by path: import packages by name'],
  },
  { input: ['test/e2e/a.ts', '../../bench/bench.ts'], want: ['imports bench/bench.ts: test may import only test, conformance, apps'] },
  { input: ['test/e2e/a.ts', 'vitest'], want: [] },
  { input: ['test/e2e/a.ts', 'left-pad'], want: ['imports left-pad, which the root package.json does not declare'] },
];

test.each(rows)('$input', ({ input: [file, specifier], want }) => {
  expect(checkImports([{ file, line: 1, specifier }], workspaces, ['vitest']).map((finding) => finding.message)).toEqual(want);
});
