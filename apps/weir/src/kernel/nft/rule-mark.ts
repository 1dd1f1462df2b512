import { decodeTlvs, encodeTlvs, type Rule, textTlv, tlvText } from '@weir/netlink/nftables';

const COMMENT = 0;
/** A type that nft does not use; it keeps and skips what it does not know. */
const FINGERPRINT = 0x57;

/** What Weir writes into a rule's user data: its name as nft's comment, and what it does as a fingerprint. */
export const RuleMark = {
  write(name: string, fingerprint: string): Uint8Array {
    return encodeTlvs([textTlv(COMMENT, name), textTlv(FINGERPRINT, fingerprint)]);
  },

  read(rule: Rule): { readonly name: string; readonly fingerprint: string | undefined } {
    const tlvs = rule.userdata && decodeTlvs(rule.userdata);
    const mark = tlvs?.find((tlv) => tlv.type === FINGERPRINT);
    return { name: rule.comment ?? '', fingerprint: mark && tlvText(mark) };
  },
} as const;
