/** Rules in words. */
export { printAction, printRule, ruleFlags, ruleLabel } from './describe-rule.ts';
