/** Test files: packets with the verdicts that a policy is to give. */
export { type LoadedTests, loadTests, type PolicyTest, type TestFile } from './load.ts';
export { describeTests } from './schema.ts';
