import { defineConfig } from 'vitest/config';

const conditions = ['source', 'node', 'import', 'module', 'default'];

/** `unit` needs no privileges and lives beside the source; the other projects live in test/ and need root and namespaces. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // What a file is transformed to is kept by its content, for the next project and the next run.
    experimental: { fsModuleCache: true },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Tests keep to themselves: a new set of modules for each file would take as long again.
          isolate: false,
          maxWorkers: 2,
          testTimeout: 60_000,
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts', 'conformance/**/*.test.ts'],
        },
      },
      ...['kernel', 'agreement', 'interop', 'e2e', 'load'].map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          // What mostly waits, for daemons or for the kernel, runs several files at a time.
          ...(name === 'agreement' || name === 'load' ? { fileParallelism: false } : { maxWorkers: name === 'kernel' ? 2 : 4 }),
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      })),
    ],
  },
});
