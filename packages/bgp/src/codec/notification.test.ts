import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeNotification, hardReset, hardResetReason, shutdownCommunication, shutdownNotification } from './notification.ts';

const none = new Uint8Array(0);

describe('NOTIFICATION', () => {
  it.each([
    { n: { code: 6, subcode: 2, data: none }, want: 'Cease/Administrative Shutdown' },
    { n: shutdownNotification(2, 'back at noon'), want: 'Cease/Administrative Shutdown: back at noon' },
    { n: shutdownNotification(4, 'line\nbreak'), want: 'Cease/Administrative Reset: line\\u000abreak' },
    { n: { code: 4, subcode: 0, data: none }, want: 'Hold Timer Expired' },
    { n: { code: 8, subcode: 0, data: none }, want: 'Send Hold Timer Expired' },
    { n: { code: 2, subcode: 11, data: none }, want: 'OPEN Message Error/Role Mismatch' },
    { n: { code: 5, subcode: 3, data: none }, want: 'Finite State Machine Error/Receive Unexpected Message in Established State' },
    { n: { code: 6, subcode: 99, data: none }, want: 'Cease/subcode 99' },
    { n: { code: 77, subcode: 1, data: none }, want: 'Error code 77/subcode 1' },
    { n: hardReset({ code: 6, subcode: 1, data: none }), want: 'Cease/Hard Reset (Cease/Maximum Number of Prefixes Reached)' },
    { n: hardReset(hardReset({ code: 4, subcode: 0, data: none })), want: 'Cease/Hard Reset (Cease/Hard Reset)' },
    { n: { code: 6, subcode: 2, data: Uint8Array.of(3, 0xff, 0xfe, 0x41) }, want: 'Cease/Administrative Shutdown' },
    { n: { code: 6, subcode: 2, data: Uint8Array.of(9, 0x41) }, want: 'Cease/Administrative Shutdown' },
  ])('$want', ({ n, want }) => {
    expect(describeNotification(n)).toBe(want);
  });

  it('a message is cut at a character to 255 octets and comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const { data } = shutdownNotification(2, text);
        expect(data.length).toBeLessThanOrEqual(256);
        const back = shutdownCommunication({ code: 6, subcode: 2, data }) ?? '';
        expect(text.startsWith(back)).toBe(true);
        if (new TextEncoder().encode(text).length <= 255) expect(back).toBe(text);
      }),
    );
  });

  it('what a hard reset wraps comes out again', () => {
    const inner = { code: 3, subcode: 9, data: Uint8Array.of(1, 2, 3) };
    expect(hardResetReason(hardReset(inner))).toEqual(inner);
    expect(hardResetReason(inner)).toBeUndefined();
  });
});
