/** Members of named sets where programs look them up. */
export { fillList } from './fill-list.ts';
export { type FullReason, type ListPressure, TrieList } from './trie-list.ts';
