import { parseHex, printHex } from '@weir/wire/bytes';
import { describe, expect, it } from 'vitest';
import { sessionContext } from './context.ts';
import { BgpError } from './error.ts';
import { decodeMessage } from './message.ts';

const M = 'ff'.repeat(16);
const plain = sessionContext();
const extended = sessionContext({ extendedMessage: true });

function reset(hex: string, context = plain): string {
  try {
    return `accepted ${decodeMessage(parseHex(hex), context).kind}`;
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    const { code, subcode, data } = error.notification;
    return `${code}/${subcode} ${printHex(data)}`;
  }
}

describe('what a message header or an OPEN ends the session with', () => {
  it.each([
    { name: 'marker', input: `fe${M.slice(2)} 0013 04`, want: '1/1 ' },
    { name: 'last marker octet', input: `${M.slice(2)}00 0013 04`, want: '1/1 ' },
    { name: 'length 18', input: `${M} 0012 04`, want: '1/2 0012' },
    { name: 'length 4097', input: `${M} 1001 02${'00'.repeat(4097 - 19)}`, want: '1/2 1001' },
    { name: 'KEEPALIVE of 20', input: `${M} 0014 04 00`, want: '1/2 0014' },
    { name: 'OPEN of 28', input: `${M} 001c 01 04fc00005ac0000201`, want: '1/2 001c' },
    { name: 'UPDATE of 22', input: `${M} 0016 02 000000`, want: '1/2 0016' },
    { name: 'NOTIFICATION of 20', input: `${M} 0014 03 06`, want: '1/2 0014' },
    { name: 'ROUTE-REFRESH of 22', input: `${M} 0016 05 000100`, want: '1/2 0016' },
    { name: 'type 0', input: `${M} 0013 00`, want: '1/3 00' },
    { name: 'type 6', input: `${M} 0013 06`, want: '1/3 06' },
    { name: 'beginning of refresh of 24', input: `${M} 0018 05 0001010100`, want: `7/1 ${M}0018050001010100` },
    { name: 'request with outbound filters', input: `${M} 0018 05 0001000100`, want: 'accepted route-refresh' },
    { name: 'version 3', input: `${M} 001d 01 03fc00005ac000020100`, want: '2/1 0004' },
    { name: 'AS 0', input: `${M} 001d 01 040000005ac000020100`, want: '2/2 ' },
    { name: 'AS 0 in the capability', input: `${M} 0025 01 04fc00005ac000020108 0206410400000000`, want: '2/2 ' },
    { name: 'identifier 0', input: `${M} 001d 01 04fc00005a0000000000`, want: '2/3 ' },
    { name: 'identifier of class E', input: `${M} 001d 01 04fc00005af000000100`, want: 'accepted open' },
    { name: 'parameter of type 1', input: `${M} 001f 01 04fc00005ac000020102 0100`, want: '2/4 ' },
    { name: 'hold time 1', input: `${M} 001d 01 04fc000001c000020100`, want: '2/6 ' },
    { name: 'hold time 2', input: `${M} 001d 01 04fc000002c000020100`, want: '2/6 ' },
    { name: 'hold time 0', input: `${M} 001d 01 04fc000000c000020100`, want: 'accepted open' },
    { name: 'parameters longer than the message', input: `${M} 001d 01 04fc00005ac000020102`, want: '2/0 ' },
    { name: 'parameters shorter than the message', input: `${M} 001f 01 04fc00005ac000020100 0200`, want: '2/0 ' },
    { name: 'capability longer than its parameter', input: `${M} 0021 01 04fc00005ac000020104 02024104`, want: '2/0 ' },
    { name: 'multiprotocol of 3 octets', input: `${M} 0024 01 04fc00005ac000020107 02050103000100`, want: '2/0 ' },
    { name: 'role of 2 octets is ignored', input: `${M} 0023 01 04fc00005ac000020106 020409020303`, want: 'accepted open' },
    { name: 'two different roles', input: `${M} 0025 01 04fc00005ac000020108 0206090103090102`, want: '2/11 ' },
    { name: 'one role twice', input: `${M} 0025 01 04fc00005ac000020108 0206090103090103`, want: 'accepted open' },
    { name: 'extended parameters cut short', input: `${M} 0020 01 04fc00005ac0000201ff ff0005`, want: '2/0 ' },
  ])('$name', ({ input, want }) => {
    expect(reset(input)).toBe(want);
  });

  it('over 4,096 octets only where it was agreed, and never an OPEN or KEEPALIVE', () => {
    const long = (type: string): string => `${M} 1388 ${type}${'00'.repeat(5000 - 19)}`;
    expect(reset(long('03'))).toBe('1/2 1388');
    expect(reset(long('03'), extended)).toBe('accepted notification');
    expect(reset(long('01'), extended)).toBe('1/2 1388');
    expect(reset(long('04'), extended)).toBe('1/2 1388');
  });
});
