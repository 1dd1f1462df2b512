/** Firewalls of other systems as policies: what was translated, what was approximated and what was not. */
export { assemble, type ImportedPolicy, type ImportedRule } from './assemble.ts';
export { type Imported, importPrograms } from './convert.ts';
export { readSave } from './iptables/read-save.ts';
export { readManifests } from './kubernetes/read-manifests.ts';
export { MAX_INPUT } from './limits.ts';
export { readRuleset } from './nft/read-ruleset.ts';
export type { NamedSet, Program } from './program.ts';
export { type Counts, countEntries, type Entry, itemText, place, type Status } from './report.ts';
