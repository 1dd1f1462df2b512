import { CeaseSubcode, ErrorCode, type FamilyName, type Notification } from '../codec/index.ts';
import type { Negotiated } from './negotiate.ts';

function isHardReset(n: Notification): boolean {
  return n.code === ErrorCode.cease && n.subcode === CeaseSubcode.hardReset;
}

/**
 * Families whose routes the graceful restart procedures let us keep when a session ends: after a mere loss of the connection those of RFC 4724
 * section 4.2; after a NOTIFICATION either way, an expired hold timer included, only where both sides sent the N bit and it is no hard reset
 * (RFC 8538 section 4). Families with a long-lived stale time are among them even where their restart time is none (RFC 9494 section 4.2).
 */
export function retainedFamilies(negotiated: Negotiated, ended: 'transport' | Notification): readonly FamilyName[] {
  const restart = negotiated.gracefulRestart;
  if (!restart) return [];
  if (ended !== 'transport' && (!restart.notification || isHardReset(ended))) return [];
  return [...new Set([...restart.families, ...negotiated.longLived].map((f) => f.family))];
}
