/** Rules in words. */
export { printAction, printRule, ruleLabel } from './describe-rule.ts';
