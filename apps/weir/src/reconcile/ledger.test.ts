import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix, printPrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prefixAt } from '../compile/nft/prefix-columns.ts';
import type { PrefixColumns } from '../model/member-delta.ts';
import { Ledger, type LedgerKey } from './ledger.ts';

const key = (family: 4 | 6): LedgerKey => ({ address: { family: 'inet', table: 't', set: 's' }, family, owned: false });
const MEMBERS = {
  4: ['192.0.2.0/24', '198.51.100.1/32', '0.0.0.0/0'],
  6: ['2001:db8::/32', '2001:db8::1/128', 'ffff::/16'],
} as const;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-ledger-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function columns(family: 4 | 6, texts: readonly string[]): PrefixColumns {
  const own = texts.map(prefix);
  const words = own.flatMap((p) => (family === 4 ? [p.w0] : [p.w0, p.w1, p.w2, p.w3]));
  return { family, count: own.length, words: Uint32Array.from(words), lengths: Uint8Array.from(own, (p) => p.length) };
}

function texts(members: PrefixColumns): string[] {
  return Array.from({ length: members.count }, (_, i) => printPrefix(prefixAt(members, i))).sort();
}

/** The file of a ledger with three members that were added and one of them removed. */
function file(family: 4 | 6): string {
  const ledger = Ledger.open(directory, key(family));
  ledger.takeSaved();
  ledger.restart('here');
  const all = columns(family, MEMBERS[family]);
  ledger.write('add', columns(family, MEMBERS[family].slice(0, 1)), () => columns(family, MEMBERS[family].slice(0, 1)));
  ledger.write('add', columns(family, MEMBERS[family].slice(1)), () => all);
  ledger.write('remove', columns(family, MEMBERS[family].slice(1, 2)), () => all);
  ledger.close();
  return join(directory, readdirSync(directory).find((name) => name.endsWith('.log'))!);
}

describe.each([4, 6] as const)('IPv%s', (family) => {
  it('says what was written', () => {
    file(family);
    const ledger = Ledger.open(directory, key(family));
    expect(ledger.identity).toBe('here');
    expect(texts(ledger.takeSaved())).toEqual([MEMBERS[family][0], MEMBERS[family][2]].sort());
    expect(ledger.takeSaved().count).toBe(0);
    ledger.close();
  });

  it('cut short at every byte it has the whole records before, or nothing; what follows is readable', () => {
    const path = file(family);
    const bytes = readFileSync(path);
    const size = family === 4 ? 6 : 18;
    const header = bytes.indexOf(10) + 1;
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const records = Math.max(0, Math.floor((length - header) / size));
      const want = length < header ? [] : MEMBERS[family].slice(0, Math.min(records, 3));
      const ledger = Ledger.open(directory, key(family));
      const saved = ledger.takeSaved();
      expect({ length, saved: texts(saved), identity: ledger.identity }).toEqual({
        length,
        saved: [...want].sort(),
        identity: length < header ? '' : 'here',
      });
      if (ledger.identity === '') ledger.restart('here');
      const further = columns(family, [...want, family === 4 ? '203.0.113.7/32' : '2001:db8:7::/48']);
      ledger.write('add', columns(family, [family === 4 ? '203.0.113.7/32' : '2001:db8:7::/48']), () => further);
      ledger.close();
      const again = Ledger.open(directory, key(family));
      expect(texts(again.takeSaved())).toEqual(texts(further));
      again.close();
    }
  });

  it('with any byte changed it opens, and has no member that is longer than an address', () => {
    const path = file(family);
    const bytes = readFileSync(path);
    const header = bytes.indexOf(10) + 1;
    for (let i = 0; i < bytes.length; i++) {
      for (const value of [0, 255, (bytes[i] as number) ^ 1]) {
        const bad = Uint8Array.from(bytes);
        bad[i] = value;
        writeFileSync(path, bad);
        const ledger = Ledger.open(directory, key(family));
        const saved = ledger.takeSaved();
        ledger.close();
        expect(saved.lengths.every((n) => n <= (family === 4 ? 32 : 128))).toBe(true);
        if (i >= header) expect(saved.count).toBeGreaterThanOrEqual(1);
      }
    }
  });
});
