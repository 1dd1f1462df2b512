/** Rules in the order of judgement as text for iptables-restore and ip6tables-restore. */
export { compileIptables, type IptablesText } from './compile-iptables.ts';
