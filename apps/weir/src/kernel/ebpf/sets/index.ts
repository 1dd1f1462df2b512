/** Members of named sets where programs look them up. */
export { type FullReason, type ListPressure, TrieList } from './trie-list.ts';
