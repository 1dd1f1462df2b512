/**
 * Who may import whom. The order is the one of ARCHITECTURE.md; each rule carries the reason that is printed with a violation.
 */

/** For each package the packages that it may import. Nothing imports the app; the app may import every package. */
export const packageMayImport: Readonly<Record<string, readonly string[]>> = {
  '@weir/wire': [],
  '@weir/sys': ['@weir/wire'],
  '@weir/filter': ['@weir/wire'],
  '@weir/bgp': ['@weir/wire', '@weir/sys'],
  '@weir/netlink': ['@weir/wire', '@weir/sys'],
  '@weir/ebpf': ['@weir/wire', '@weir/sys'],
  weir: ['@weir/wire', '@weir/sys', '@weir/filter', '@weir/bgp', '@weir/netlink', '@weir/ebpf'],
};

/**
 * The folders of one package, lowest level first. A folder may import those of the levels below its own and itself; folders of one level do
 * not import each other. A file directly in src counts as a folder of its name.
 */
export const folderLevels: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'apps/weir/src': [
    ['model'],
    ['state', 'compile', 'kernel', 'observe', 'files'],
    ['sources', 'reconcile'],
    ['api'],
    ['cli'],
    ['daemon'],
    ['main.ts'],
  ],
  'packages/wire/src': [['bytes'], ['inet'], ['capture']],
  'packages/filter/src': [['scheme'], ['syntax', 'packet'], ['ir'], ['eval']],
  'packages/ebpf/src': [['asm'], ['kernel'], ['object']],
  'packages/bgp/src': [['codec'], ['capture'], ['fsm'], ['session']],
};

/** Folders that do no I/O and read no clock: they import no Node module. */
export const pureFolders: readonly string[] = [
  'packages/wire/src',
  'packages/filter/src',
  'packages/bgp/src/codec',
  'packages/bgp/src/fsm',
  'packages/ebpf/src/asm',
  'apps/weir/src/model',
  'apps/weir/src/compile',
];

/** Packages from outside that only one of ours may import. */
export const reservedFor: Readonly<Record<string, { readonly package: string; readonly reason: string }>> = {
  koffi: { package: '@weir/sys', reason: 'native calls are made in @weir/sys alone' },
};

/** Outside the packages and apps: what tests, benches and tools may import besides the packages. They may reach into each other only here. */
export const folderMayImport: Readonly<Record<string, readonly string[]>> = {
  test: ['test', 'conformance', 'apps'],
  bench: ['bench', 'test', 'conformance', 'apps'],
  fuzz: ['fuzz', 'test', 'conformance', 'apps'],
  conformance: ['conformance', 'apps'],
  tools: ['tools', 'bench', 'fuzz', 'test', 'apps'],
};

/** Folders of test/ that tests beside the source may import as well: rules, packets and certificates made for them. */
export const madeForTests: readonly string[] = ['test/certificates', 'test/rules'];

/** What tests may import although the package that they belong to does not declare it. */
export const testOnly: readonly string[] = ['vitest', 'fast-check'];

/** What files that only run from a checkout may import although their package does not declare it: the loader that runs TypeScript as it is. */
export const sourceOnly: Readonly<Record<string, readonly string[]>> = {
  'apps/weir/bin/weir.mjs': ['tsx'],
  'apps/weir/src/reconcile/worker-source.mjs': ['tsx'],
  'apps/weir/src/observe/verdicts/reader-source.mjs': ['tsx'],
};
