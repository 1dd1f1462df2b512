/** What is different between two configurations and between the rules that follow from them. */
export { describeChanges, fixedKeys } from './config-changes.ts';
export { type RuleChange, ruleChanges } from './rule-changes.ts';
