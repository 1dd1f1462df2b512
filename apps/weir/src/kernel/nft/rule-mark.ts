import { decodeTlvs, encodeTlvs, type Rule, textTlv, tlvText } from '@weir/netlink/nftables';

const COMMENT = 0;
/** A type that nft does not use; it keeps and skips what it does not know. */
const FINGERPRINT = 0x57;

/** Of a fingerprint. */
const DIGITS = 16;
/** Bytes of a comment, with its NUL. */
const MOST_NAME = 128;
const TEXT = new TextEncoder();
const scratch = new Uint8Array(2 + MOST_NAME);

/** What Weir writes into a rule's user data: its name as nft's comment, and what it does as a fingerprint. */
export const RuleMark = {
  write(name: string, fingerprint: string): Uint8Array {
    const { written } = TEXT.encodeInto(name, scratch.subarray(2));
    // The two TLVs at once for what fits; the others say what is wrong.
    if (written >= MOST_NAME || fingerprint.length !== DIGITS || name.includes('\0')) {
      return encodeTlvs([textTlv(COMMENT, name), textTlv(FINGERPRINT, fingerprint)]);
    }
    const out = new Uint8Array(2 + written + 1 + 2 + DIGITS + 1);
    out.set(scratch.subarray(0, 2 + written));
    out[0] = COMMENT;
    out[1] = written + 1;
    const at = 2 + written + 1;
    out[at] = FINGERPRINT;
    out[at + 1] = DIGITS + 1;
    for (let i = 0; i < DIGITS; i++) out[at + 2 + i] = fingerprint.charCodeAt(i);
    return out;
  },

  read(rule: Rule): { readonly name: string; readonly fingerprint: string | undefined } {
    const tlvs = rule.userdata && decodeTlvs(rule.userdata);
    const mark = tlvs?.find((tlv) => tlv.type === FINGERPRINT);
    return { name: rule.comment ?? '', fingerprint: mark && tlvText(mark) };
  },
} as const;
