/** Octets of one input file. */
export const MAX_INPUT: number = 32 * 1024 * 1024;

/** Lines of an iptables-save file, objects of an nft listing, documents of a manifest. */
export const MAX_ITEMS = 200_000;

/** Rules that the chains of one hook may unfold to. */
export const MAX_RULES = 20_000;

/** Chains that call one another, one inside the other; the kernel's own limit for nf_tables is 16. */
export const MAX_NESTING = 32;

/** Tokens of one line of iptables-save. */
export const MAX_TOKENS = 1_000;

/** Characters of one expression: the default limit of the filter language. */
export const MAX_EXPRESSION = 4_096;

/** Addresses and ranges that one expression spells out; more become a list of the policy file. */
export const MAX_INLINE = 16;

/** Entries of one list or of one rule's field. */
export const MAX_LIST = 100_000;

/** Rules of two families that are looked at together to find pairs: the product of both numbers. */
export const MAX_PAIRING = 4_000_000;
