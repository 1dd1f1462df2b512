/** 0 is IPv4, 1 is IPv6: what indexes everything that is kept per family. */
export type FamilyIndex = 0 | 1;
export const FAMILY_INDEXES: readonly FamilyIndex[] = [0, 1];
