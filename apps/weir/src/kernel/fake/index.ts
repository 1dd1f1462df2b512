export type { FakeConnection } from './fake-backend.ts';
export { type FakeCommit, FakeCrash, type FakeFault, FakeKernel, type FakeKernelOptions } from './fake-kernel.ts';
export { type FakeRange, rangesOfColumns, rangesOfPrefixes } from './fake-ranges.ts';
export { elementKey, type FakeElement, FakeRuleset, overlap } from './fake-ruleset.ts';
