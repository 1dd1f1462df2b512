import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AclPlace, aclHeader, markCommitted, writeAclFile } from './index.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-acl-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

function place(more: Partial<AclPlace> = {}): AclPlace {
  return { directory, number: 60, name: 'policy', owner: '/var/lib/weir', ...more };
}

const FILE = '60weir-policy.rules';
const BODY = '[iptables]\n-A FORWARD --in-interface swp+ -j DROP\n';
const read = (name = FILE): string => readFileSync(join(directory, name), 'utf8');

describe('the ACL file of an owner', () => {
  it('is written whole, and not again when it says the same', async () => {
    const path = join(directory, FILE);
    expect(await writeAclFile(place(), BODY, false)).toEqual({ path, changed: true, pending: false });
    expect(read()).toBe(`# Written by weir (/var/lib/weir); what is changed here is lost.\n${BODY}`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    const before = statSync(path, { bigint: true }).mtimeNs;
    expect(await writeAclFile(place(), BODY, false)).toEqual({ path, changed: false, pending: false });
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(before);
    writeFileSync(path, `${aclHeader('/var/lib/weir')}# changed by hand\n`);
    expect(await writeAclFile(place(), BODY, false)).toMatchObject({ changed: true });
    expect(read()).toContain(BODY);
    expect(readdirSync(directory)).toEqual([FILE]);
  });

  it('waits for its commit until that is done, in whichever process', async () => {
    expect(await writeAclFile(place(), BODY, true)).toMatchObject({ changed: true, pending: true });
    expect(await writeAclFile(place(), BODY, true)).toMatchObject({ changed: false, pending: true });
    expect(readdirSync(directory).filter((name) => !name.startsWith('.'))).toEqual([FILE]);
    await markCommitted(place());
    expect(await writeAclFile(place(), BODY, true)).toMatchObject({ changed: false, pending: false });
    expect(readdirSync(directory)).toEqual([FILE]);
  });

  it('goes where its number or its name say, and others stay', async () => {
    const others = ['00control_plane.rules', '99control_plane_catch_all.rules', '50_nvue.rules', '50weir-mine.txt', '61weir-hand.rules'];
    for (const name of others) writeFileSync(join(directory, name), '[iptables]\n');
    writeFileSync(join(directory, '62weir-other.rules'), `${aclHeader('/var/lib/other')}[iptables]\n`);
    await writeAclFile(place(), BODY, false);
    await writeAclFile(place({ number: 7, name: 'edge' }), BODY, false);
    expect(readdirSync(directory).sort()).toEqual([...others, '62weir-other.rules', '07weir-edge.rules'].sort());
    expect(await writeAclFile(place({ number: 7 }), undefined, true)).toMatchObject({ changed: true, pending: true });
    expect(existsSync(join(directory, '07weir-edge.rules'))).toBe(false);
    expect(readFileSync(join(directory, '62weir-other.rules'), 'utf8')).toContain('/var/lib/other');
  });

  it.each([
    { name: 'of another weir', text: aclHeader('/var/lib/other'), want: /another weir \(\/var\/lib\/other\) has written it/ },
    { name: 'of a person', text: '[iptables]\n', want: /it was not written by weir/ },
    { name: 'that is empty', text: '', want: /it was not written by weir/ },
  ])('a file of its name $name is left alone', async ({ text, want }) => {
    writeFileSync(join(directory, FILE), text);
    await expect(writeAclFile(place(), BODY, true)).rejects.toMatchObject({
      code: 'acl-foreign-file',
      message: expect.stringMatching(want),
    });
    expect(read()).toBe(text);
    expect(await writeAclFile(place(), undefined, true)).toMatchObject({ changed: false });
    expect(readdirSync(directory)).toEqual([FILE]);
  });

  it('of two that begin at once is that of one, and the other is told', async () => {
    for (let round = 0; round < 20; round++) {
      const name = `r${round}`;
      const results = await Promise.allSettled(['/a', '/b'].map((owner) => writeAclFile(place({ name, owner }), `# ${owner}\n`, true)));
      const won = results.findIndex((one) => one.status === 'fulfilled');
      expect(results.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(read(`60weir-${name}.rules`)).toBe(`${aclHeader(won === 0 ? '/a' : '/b')}# ${won === 0 ? '/a' : '/b'}\n`);
    }
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it.each([
    { name: 'that is not there', path: 'nowhere', want: /ENOENT/ },
    { name: 'that is a file', path: 'file', want: /ENOTDIR/ },
  ])('a directory $name is an error', async ({ path, want }) => {
    writeFileSync(join(directory, 'file'), '');
    await expect(writeAclFile(place({ directory: join(directory, path) }), BODY, true)).rejects.toMatchObject({
      code: 'acl-not-writable',
      message: expect.stringMatching(want),
    });
  });

  it('nothing is to be removed from a directory that is not there', async () => {
    expect(await writeAclFile(place({ directory: join(directory, 'nowhere') }), undefined, true)).toMatchObject({ changed: false });
  });

  it('what cannot take its place leaves nothing behind', async () => {
    mkdirSync(join(directory, `.${FILE}`));
    mkdirSync(join(directory, FILE));
    await expect(writeAclFile(place(), BODY, false)).rejects.toMatchObject({ code: 'acl-not-writable' });
    expect(readdirSync(directory).sort()).toEqual([`.${FILE}`, FILE].sort());
    chmodSync(directory, 0o755);
  });
});
