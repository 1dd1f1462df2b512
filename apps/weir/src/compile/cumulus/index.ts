/** Rules as ACL files of Cumulus Linux. */
export { type CumulusText, compileCumulus } from './compile-cumulus.ts';
export type { MembersOf } from './members.ts';
