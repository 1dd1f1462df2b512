/** What is made of sets and flow rules to be announced: flow rules, blackhole routes. */

export { type ConvertedFlow, type FlowBlackhole, FlowConversion, type FlowConversionCounts } from './flow-conversion.ts';
export { isSetFlow, SetConversion, type SetConversionCounts, setOfFlow } from './set-conversion.ts';
