import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AclPlace, writeAclFile } from '../../apps/weir/src/reconcile/acl-files/index.ts';
import { runCommand } from '../lab/command.ts';

const FILE = '60weir-policy.rules';
let mounted = '';

beforeEach(async () => {
  mounted = mkdtempSync(join(tmpdir(), 'weir-acl-full-'));
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted]);
  mkdirSync(join(mounted, 'policy.d'));
});

afterEach(async () => {
  await runCommand('umount', [mounted]);
  rmdirSync(mounted);
});

const place = (): AclPlace => ({ directory: join(mounted, 'policy.d'), number: 60, name: 'policy', owner: '/var/lib/weir' });
const body = (lines: number): string => `[iptables]\n${'-A FORWARD --in-interface swp+ -s 192.0.2.1/32 -j DROP\n'.repeat(lines)}`;

describe('a file system that', () => {
  it('is full keeps the file that was there, and nothing is left of the other', async () => {
    await writeAclFile(place(), body(1), false);
    const before = readFileSync(join(mounted, 'policy.d', FILE), 'utf8');
    await expect(writeAclFile(place(), body(5000), false)).rejects.toMatchObject({
      code: 'acl-not-writable',
      message: expect.stringMatching(/ENOSPC/),
    });
    expect(readFileSync(join(mounted, 'policy.d', FILE), 'utf8')).toBe(before);
    expect(readdirSync(join(mounted, 'policy.d'))).toEqual([FILE]);
    await writeAclFile(place(), body(2), false);
    expect(readFileSync(join(mounted, 'policy.d', FILE), 'utf8')).toContain(body(2));
  });

  it('has no room at all says so', async () => {
    try {
      writeFileSync(join(mounted, 'rest'), Buffer.alloc(1 << 20));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    await expect(writeAclFile(place(), body(1), false)).rejects.toMatchObject({ code: 'acl-not-writable' });
    expect(readdirSync(join(mounted, 'policy.d'))).toEqual([]);
    rmSync(join(mounted, 'rest'));
    expect(await writeAclFile(place(), body(1), false)).toMatchObject({ changed: true });
  });

  it('cannot be written to keeps everything', async () => {
    await writeAclFile(place(), body(1), false);
    await runCommand('mount', ['-o', 'remount,ro', mounted]);
    expect(await writeAclFile(place(), body(1), true)).toMatchObject({ changed: false, pending: false });
    await expect(writeAclFile(place(), body(2), true)).rejects.toMatchObject({
      code: 'acl-not-writable',
      message: expect.stringMatching(/EROFS/),
    });
    await expect(writeAclFile(place(), undefined, true)).rejects.toMatchObject({ code: 'acl-not-writable' });
    expect(readFileSync(join(mounted, 'policy.d', FILE), 'utf8')).toContain(body(1));
    await runCommand('mount', ['-o', 'remount,rw', mounted]);
  });
});
