import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IpSet, ipSetOfPrefixes } from '@weir/filter/ir';
import { parsePrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../model/config.ts';
import { type CumulusConfig, type CumulusProblem, DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import { testConfig, testSet } from '../../state/test-fixtures.ts';
import { AclTarget } from './index.ts';

let directory = '';
let target: AclTarget;
let members: IpSet | 'too-many' = ipSetOfPrefixes([]);
let problems: (CumulusProblem | undefined)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-acl-target-'));
  mkdirSync(join(directory, 'policy.d'));
  members = ipSetOfPrefixes([]);
  problems = [];
  target = make('/var/lib/weir');
});

afterEach(async () => {
  await target.close({ clear: false });
  rmSync(directory, { recursive: true });
});

function make(owner: string): AclTarget {
  const made = new AclTarget({
    owner: () => owner,
    members: (set) => (set === 'attackers' ? members : undefined),
    onProblem: (problem) => problems.push(problem),
    retry: { first: 20, last: 80 },
  });
  made.start();
  return made;
}

/** A command that says what it has been run for, and fails while the file `fail` is there. */
function committing(): readonly string[] {
  const script = join(directory, 'commit');
  writeFileSync(
    script,
    `#!/bin/sh\ncd ${directory}\nls policy.d >>runs; echo run >>count\nif [ -e fail ]; then echo "hw sync failed" >&2; exit 7; fi\n`,
  );
  chmodSync(script, 0o755);
  return [script];
}

const runs = (): number =>
  existsSync(join(directory, 'count')) ? readFileSync(join(directory, 'count'), 'utf8').split('\n').length - 1 : 0;
const files = (): string[] => readdirSync(join(directory, 'policy.d')).sort();
const text = (name = '60weir-policy.rules'): string => readFileSync(join(directory, 'policy.d', name), 'utf8');

function config(more: Partial<CumulusConfig> | undefined = {}): Config {
  const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
  const border = {
    name: 'edge',
    from: ['swp1'],
    to: ['swp2'],
    deny: [{ set: 'attackers', span }],
    allow: [],
    established: false,
    default: 'accept',
    span,
  } as const;
  const firewall = { table: 'weir', base: BASE, borders: [border] };
  const cumulus: CumulusConfig = {
    ...DEFAULT_CUMULUS,
    directory: join(directory, 'policy.d'),
    commit: committing(),
    commitTimeout: 20_000,
    batch: 10,
    span,
    ...more,
  };
  return testConfig([], [testSet('attackers', { kind: 'deny' })], { firewall, cumulus: more ? cumulus : undefined });
}

const BASE = {
  loopback: false,
  established: false,
  neighbourDiscovery: false,
  multicastListener: false,
  pathMtu: false,
  dhcpClient: false,
  bgpPeers: false,
};

function set(...texts: readonly string[]): IpSet {
  return ipSetOfPrefixes(
    texts.flatMap((one) => {
      const parsed = parsePrefix(one);
      return parsed.ok ? [parsed.prefix] : [];
    }),
  );
}

const settled = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

describe('the ACL file of a configuration', () => {
  it('follows the rules and the members of sets, committed once for a batch', async () => {
    target.configure(config());
    await settled(() =>
      expect(target.status()).toMatchObject({ commits: 1, pending: false, problem: undefined, lines: { ipv4: 1, ipv6: 1 } }),
    );
    expect(text()).not.toContain('-j DROP');
    members = set('192.0.2.1/32', '2001:db8::/32');
    for (let i = 0; i < 50; i++) target.changed();
    await settled(() => expect(target.status()).toMatchObject({ commits: 2, pending: false }));
    expect(text()).toContain('-A FORWARD --in-interface swp1 --out-interface swp2 -s 192.0.2.1/32 -j DROP\n');
    expect(text()).toContain('-A FORWARD --in-interface swp1 --out-interface swp2 -s 2001:db8::/32 -j DROP\n');
    expect(runs()).toBe(2);
    expect(files()).toEqual(['60weir-policy.rules']);
  });

  it('is not written before members can be read, and nothing is run where nothing has changed', async () => {
    members = set('192.0.2.1/32');
    target.configure(config());
    await settled(() => expect(target.status()?.commits).toBe(1));
    await target.close({ clear: false });
    const late = new AclTarget({ owner: () => '/var/lib/weir', members: () => members, onProblem: () => undefined });
    late.configure(config());
    late.changed();
    expect(late.status()).toMatchObject({ written: undefined, lines: undefined });
    late.start();
    await settled(() => expect(late.status()?.lines).toBeDefined());
    await late.close({ clear: false });
    expect(late.status()).toMatchObject({ written: undefined, commits: 0, pending: false });
    expect(runs()).toBe(1);
  });

  it('is committed again and again where that fails, also by the next process', async () => {
    writeFileSync(join(directory, 'fail'), '');
    target.configure(config());
    await settled(() => expect(target.status()?.failedCommits).toBeGreaterThan(2));
    expect(target.status()).toMatchObject({
      commits: 0,
      pending: true,
      problem: { kind: 'not-committed', exitCode: 7, log: 'hw sync failed\n', message: expect.stringMatching(/commit: exit code 7$/) },
    });
    // Told once.
    expect(problems).toHaveLength(1);
    await target.close({ clear: false });
    rmSync(join(directory, 'fail'));
    target = make('/var/lib/weir');
    target.configure(config());
    await settled(() => expect(target.status()).toMatchObject({ commits: 1, pending: false, written: undefined }));
  });

  it('says that a problem is over', async () => {
    writeFileSync(join(directory, 'fail'), '');
    target.configure(config());
    await settled(() => expect(problems).toMatchObject([{ kind: 'not-committed' }]));
    rmSync(join(directory, 'fail'));
    await settled(() => expect(problems).toMatchObject([{ kind: 'not-committed' }, undefined]));
    expect(target.status()).toMatchObject({ commits: 1, problem: undefined });
  });

  it('stays as it is where members are more than may be written', async () => {
    members = set('192.0.2.1/32');
    target.configure(config());
    await settled(() => expect(target.status()?.commits).toBe(1));
    const before = text();
    members = 'too-many';
    target.changed();
    await settled(() => expect(target.status()?.problem).toMatchObject({ kind: 'refused', message: expect.stringContaining('attackers') }));
    expect(text()).toBe(before);
    members = set('192.0.2.2/32');
    target.changed();
    await settled(() => expect(target.status()).toMatchObject({ commits: 2, problem: undefined, pending: false }));
  });

  it('waits for its directory', async () => {
    renameSync(join(directory, 'policy.d'), join(directory, 'away'));
    target.configure(config());
    await settled(() =>
      expect(target.status()?.problem).toMatchObject({ kind: 'not-written', message: expect.stringContaining('ENOENT') }),
    );
    renameSync(join(directory, 'away'), join(directory, 'policy.d'));
    await settled(() => expect(target.status()).toMatchObject({ commits: 1, problem: undefined }));
  });

  it('is in one place, and then in none', async () => {
    target.configure(config());
    await settled(() => expect(files()).toEqual(['60weir-policy.rules']));
    target.configure(config({ number: 5, name: 'edge' }));
    await settled(() => expect(files()).toEqual(['05weir-edge.rules']));
    mkdirSync(join(directory, 'other.d'));
    target.configure(config({ directory: join(directory, 'other.d') }));
    await settled(() => expect([files(), readdirSync(join(directory, 'other.d'))]).toEqual([[], ['60weir-policy.rules']]));
    target.configure(config({ directory: join(directory, 'policy.d') }));
    await settled(() => expect([files(), readdirSync(join(directory, 'other.d'))]).toEqual([['60weir-policy.rules'], []]));
    target.configure({ ...config(), cumulus: undefined });
    await settled(() => expect(files()).toEqual([]));
  });

  it('is taken out where the daemon ends with its state', async () => {
    target.configure(config());
    await settled(() => expect(target.status()?.commits).toBe(1));
    await target.close({ clear: true });
    expect(files()).toEqual([]);
    expect(runs()).toBe(2);
  });

  it('of another daemon is left alone, with another name each has its own', async () => {
    target.configure(config());
    await settled(() => expect(target.status()?.commits).toBe(1));
    const before = text();
    const other = make('/var/lib/other');
    other.configure(config({ hooks: ['input'] }));
    await settled(() =>
      expect(other.status()?.problem).toMatchObject({
        kind: 'not-written',
        message: expect.stringContaining('another weir (/var/lib/weir)'),
      }),
    );
    expect(text()).toBe(before);
    other.configure(config({ name: 'other' }));
    await settled(() => expect(files()).toEqual(['60weir-other.rules', '60weir-policy.rules']));
    await other.close({ clear: true });
    expect(files()).toEqual(['60weir-policy.rules']);
    expect(text()).toBe(before);
  });

  it('has rules that it cannot say told, and the rest is not written', async () => {
    const asks = config();
    const borders = (asks.firewall?.borders ?? []).map((border) => ({ ...border, established: true }));
    target.configure({ ...asks, firewall: { table: 'weir', base: { ...BASE, established: true }, borders } });
    await settled(() =>
      expect(target.status()?.problem).toMatchObject({ kind: 'refused', message: expect.stringContaining('ct.established') }),
    );
    expect(files()).toEqual([]);
    expect(runs()).toBe(0);
  });
});
