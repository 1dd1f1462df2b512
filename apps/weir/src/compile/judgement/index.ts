/** Configuration and policy as one ordered list of rules for each hook. */
export { isActive, nextExpiry } from './active-rules.ts';
export { DEFAULT_FIREWALL, flowHooks, type JudgementSource, judgement, NO_PEERS, netfilterHooks } from './judgement.ts';
