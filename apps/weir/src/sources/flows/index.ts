/** Flow rules from files. */
export { type FlowFile, readFlowFile } from './read-flow-file.ts';
