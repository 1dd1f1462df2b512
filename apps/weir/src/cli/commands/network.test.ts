import { describe, expect, it } from 'vitest';
import { readList } from './network.ts';

const octets = (text: string): Uint8Array => Buffer.from(text);

describe('a list of prefixes', () => {
  it('is a prefix a line, with comments', () => {
    expect(readList(octets('# admins\n203.0.113.1  # on call\r\n\n 2001:db8::/48\n203.0.113.0/24'), 'list')).toEqual([
      '203.0.113.1',
      '2001:db8::/48',
      '203.0.113.0/24',
    ]);
  });

  it.each([
    { name: 'host bits', text: '203.0.113.1\n203.0.113.1/24\n', want: /1 lines of list are no prefixes.*\nlist:2: host bits are set/ },
    { name: 'a line of ten megabytes', text: 'x'.repeat(10 << 20), want: /list:1: not an address or prefix: x{60}\.\.\./ },
    { name: 'octets that are no text', text: '\u0000\u0001\n\u001b[31m', want: /list:2: not an address or prefix: \\x1b/ },
    { name: 'many of them', text: 'x\n'.repeat(50), want: /\nand 30 lines more/ },
  ])('is refused with $name', ({ text, want }) => {
    expect(() => readList(octets(text), 'list')).toThrow(want);
  });
});
