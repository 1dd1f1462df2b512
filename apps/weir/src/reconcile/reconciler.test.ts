import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix, printPrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prefixAt } from '../compile/nft/prefix-columns.ts';
import type { KernelPlan } from '../compile/nft/targets.ts';
import type { KernelBackend, SetAddress } from '../kernel/backend.ts';
import { type FakeCommit, FakeCrash, FakeKernel } from '../kernel/fake/index.ts';
import type { KernelEvent } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import { Reconciler } from './reconciler.ts';
import { restoreImage } from './restore.ts';

const USER: SetAddress = { family: 'inet', table: 'user', set: 's' };
const OWN = { family: 'inet', table: 'weir' } as const;
const OWN_NETS: SetAddress = { ...OWN, set: 'own_v4_net' };

const userPlan: KernelPlan = {
  targets: [{ key: 'u', set: 'web', family: 4, cut: false, place: { kind: 'user', ...USER } }],
  table: undefined,
};
const ownPlan: KernelPlan = {
  targets: [
    { key: 'o', set: 'own', family: 4, cut: false, place: { kind: 'owned', table: 'weir', hosts: 'own_v4', networks: 'own_v4_net' } },
  ],
  table: {
    name: 'weir',
    sets: [
      { name: 'own_v4', family: 4, interval: false, size: 65_536, comment: 'hosts of own' },
      { name: 'own_v4_net', family: 4, interval: true, size: undefined, comment: 'networks of own' },
    ],
    chains: [{ name: 'input', hook: 'input', rules: [{ name: 'all', matches: [], verdict: { kind: 'accept' } }] }],
  },
};

let directory: string;
let events: KernelEvent[];
let commits: FakeCommit[];
let now: number;
let backend: KernelBackend;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-reconciler-'));
  events = [];
  commits = [];
  now = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function kernelWith(ownership: boolean): FakeKernel {
  const kernel = new FakeKernel({ ownership, observe: (commit) => commits.push(commit) });
  kernel.foreign([
    { kind: 'put-table', address: USER, comment: '', owned: false },
    { kind: 'add-set', address: USER, set: { name: 's', family: 4, interval: true, size: undefined, comment: '' } },
  ]);
  return kernel;
}

function start(kernel: FakeKernel): Reconciler {
  backend = kernel.open();
  return new Reconciler({ backend, stateDirectory: directory, emit: (e) => events.push(e), now: () => now });
}

function columns(texts: readonly string[]) {
  const own = texts.map(prefix);
  return {
    family: 4 as const,
    count: own.length,
    words: Uint32Array.from(own, (p) => p.w0),
    lengths: Uint8Array.from(own, (p) => p.length),
  };
}

function delta(set: string, texts: readonly string[], { wanted = true, complete = false } = {}): MemberDelta {
  return { set, complete, oldest: 0, wanted: new Uint8Array(texts.length).fill(wanted ? 1 : 0), ...columns(texts) };
}

function elements(kernel: FakeKernel, address: SetAddress): string[] {
  return kernel.elements(address).map(({ first, last }) => `${first}-${last}`);
}

const NET = '192.0.2.0/24';
const NET_ELEMENT = `${0xc0000200}-${0xc00002ff}`;

describe('what was wrong once', () => {
  it('a refusal that names nothing is no problem of a table that was not in the transaction', () => {
    const kernel = kernelWith(true);
    const reconciler = start(kernel);
    reconciler.configure(ownPlan);
    kernel.fail({ kind: 'refuse', code: 'EPERM', operation: undefined });
    reconciler.apply([delta('own', [NET])]);
    expect(reconciler.status().problems.map((p) => [p.kind, p.subject])).toEqual([['not-permitted', 'own']]);
    now += 31_000;
    reconciler.poll();
    expect(reconciler.status().problems).toEqual([]);
    expect(elements(kernel, OWN_NETS)).toEqual([NET_ELEMENT]);
  });

  it('a table that goes while it is taken over comes back with its members', () => {
    const kernel = kernelWith(true);
    const first = start(kernel);
    first.configure(ownPlan);
    first.apply([delta('own', [NET])]);
    first.close();
    const second = start(kernel);
    kernel.fail({ kind: 'meanwhile', run: () => kernel.flush() });
    second.configure(ownPlan);
    second.apply([delta('own', [NET], { complete: true })]);
    expect(elements(kernel, OWN_NETS)).toEqual([NET_ELEMENT]);
  });

  it('a table whose making was not confirmed is filled', () => {
    const kernel = kernelWith(false);
    const reconciler = start(kernel);
    kernel.fail({ kind: 'lost-answer', applied: true });
    reconciler.configure(ownPlan);
    reconciler.apply([delta('own', [NET])]);
    expect(elements(kernel, OWN_NETS)).toEqual([NET_ELEMENT]);
  });
});

describe('a set of the user that is made anew', () => {
  it('is known as another one before anything is sent to it, so that a start after a crash still takes it for its own', () => {
    const kernel = kernelWith(true);
    const first = start(kernel);
    first.configure(userPlan);
    kernel.foreign([{ kind: 'delete-table', address: USER }]);
    kernel.foreign([
      { kind: 'put-table', address: USER, comment: '', owned: false },
      { kind: 'add-set', address: USER, set: { name: 's', family: 4, interval: true, size: undefined, comment: '' } },
    ]);
    first.apply([delta('web', [NET])]);
    expect(elements(kernel, USER)).toEqual([NET_ELEMENT]);
    backend.close();
    const second = start(kernel);
    expect(second.configure(userPlan).map((c) => c.count)).toEqual([1]);
    second.apply([delta('web', [], { complete: true })]);
    expect(elements(kernel, USER)).toEqual([]);
  });
});

describe('another process undoes what Weir repairs', () => {
  it('repairs become rare, a problem says so, and it is over when the other stops', () => {
    const kernel = kernelWith(true);
    const reconciler = start(kernel);
    reconciler.configure(userPlan);
    reconciler.apply([delta('web', [NET])]);
    const before = commits.length;
    for (let i = 0; i < 10_000; i++) {
      now += 100;
      kernel.foreign([{ kind: 'delete-elements', address: USER, interval: true, elements: columns([NET]) }], 'other');
      reconciler.poll();
    }
    // 1,000 s: ten at once, then after 1, 2, 4, 8, 16, 30, 30 ... seconds.
    const repairs = commits.length - before;
    expect(repairs).toBeGreaterThanOrEqual(30);
    expect(repairs).toBeLessThanOrEqual(50);
    const [problem] = reconciler.status().problems;
    expect(problem).toMatchObject({ kind: 'drift', subject: 'web', message: expect.stringContaining('the process other keeps changing') });
    now += 31_000;
    reconciler.poll();
    now += 10_000;
    reconciler.poll();
    expect(elements(kernel, USER)).toEqual([NET_ELEMENT]);
    expect(reconciler.status().problems).toEqual([]);
  });

  it('what is newly asked for goes at once meanwhile', () => {
    const kernel = kernelWith(true);
    const reconciler = start(kernel);
    reconciler.configure(userPlan);
    reconciler.apply([delta('web', [NET])]);
    for (let i = 0; i < 40; i++) {
      now += 100;
      kernel.foreign([{ kind: 'delete-elements', address: USER, interval: true, elements: columns([NET]) }]);
      reconciler.poll();
    }
    expect(elements(kernel, USER)).toEqual([]);
    expect(reconciler.apply([delta('web', ['198.51.100.0/24'])])).toMatchObject({ ok: true });
    expect(elements(kernel, USER)).toContain(`${0xc6336400}-${0xc63364ff}`);
  });

  it('the same for a table that others keep deleting', () => {
    const kernel = kernelWith(false);
    const reconciler = start(kernel);
    reconciler.configure(ownPlan);
    const before = commits.length;
    for (let i = 0; i < 1000; i++) {
      now += 100;
      kernel.foreign([{ kind: 'delete-table', address: OWN }], 'other');
      reconciler.poll();
    }
    expect(commits.length - before).toBeGreaterThanOrEqual(12);
    expect(commits.length - before).toBeLessThanOrEqual(25);
    expect(reconciler.status().problems.map((p) => [p.kind, p.subject])).toEqual([['drift', 'weir']]);
    now += 31_000;
    reconciler.poll();
    now += 10_000;
    reconciler.poll();
    expect(kernel.hasTable(OWN)).toBe(true);
    expect(reconciler.status().problems).toEqual([]);
  });
});

describe('a start', () => {
  it.each([
    { name: 'after the commit, before it is noted', applied: true },
    { name: 'after the ledger, before the commit', applied: false },
  ])('of a process that died $name takes what it added for its own', ({ applied }) => {
    const kernel = kernelWith(true);
    const first = start(kernel);
    first.configure(userPlan);
    kernel.fail({ kind: 'crash', applied });
    expect(() => first.apply([delta('web', [NET])])).toThrow(FakeCrash);
    backend.close();
    const found = start(kernel).configure(userPlan);
    const texts = found.flatMap((c) => Array.from({ length: c.count }, (_, i) => printPrefix(prefixAt(c, i))));
    expect(texts).toEqual(applied ? [NET] : []);
    expect(elements(kernel, USER)).toEqual(applied ? [NET_ELEMENT] : []);
  });

  it('a new set is waited for also when the plan comes once more before its members, and no longer', () => {
    for (const late of [false, true]) {
      rmSync(directory, { recursive: true, force: true });
      const kernel = kernelWith(true);
      const chains = (): number => kernel.ruleset.table(OWN)?.chains.size ?? 0;
      const reconciler = start(kernel);
      reconciler.configure(ownPlan, true);
      now += 600;
      reconciler.configure(ownPlan);
      expect(chains()).toBe(0);
      if (late) {
        now += 500;
        reconciler.poll();
      } else reconciler.apply([delta('own', ['203.0.113.0/24'], { complete: true })]);
      expect([chains(), elements(kernel, OWN_NETS).length]).toEqual([1, late ? 0 : 1]);
      reconciler.close();
    }
  });

  it('restore makes the table with its members in one transaction, and a second time sends nothing', () => {
    const kernel = kernelWith(true);
    const reconciler = start(kernel);
    reconciler.configure(ownPlan);
    reconciler.apply([delta('own', [NET, '198.51.100.1/32'])]);
    reconciler.close();
    const booted = new FakeKernel({ ownership: true, observe: (commit) => commits.push(commit) }, 'fake 2');
    commits = [];
    expect(restoreImage(booted.open(), directory)).toEqual({ table: 'weir', members: 2, problems: [], fault: undefined });
    expect(commits.length).toBe(1);
    restoreImage(booted.open(), directory);
    // The table is taken over; nothing else.
    expect(commits.slice(1).flatMap((c) => c.operations.map((o) => o.kind))).toEqual(['put-table']);
  });

  it('a saved plan that is damaged keeps nobody from starting: the table stays as it is, and it is told', () => {
    const kernel = kernelWith(true);
    const first = start(kernel);
    first.configure(ownPlan);
    first.apply([delta('own', [NET])]);
    first.close();
    writeFileSync(join(directory, 'image.json'), '{"format_version":2,"tar');
    const second = start(kernel);
    second.configure(ownPlan);
    second.apply([delta('own', [NET], { complete: true })]);
    expect(elements(kernel, OWN_NETS)).toEqual([NET_ELEMENT]);
    expect(second.status().problems).toMatchObject([{ kind: 'image-damaged', message: expect.stringContaining('is damaged') }]);
    second.configure(ownPlan);
    expect(second.status().problems).toEqual([]);
  });

  it('a table that an earlier version wrote goes when there is to be none', () => {
    const kernel = kernelWith(true);
    const first = start(kernel);
    first.configure(ownPlan);
    first.close();
    writeFileSync(join(directory, 'image.json'), '{"format_version":1,"targets":[],"table":{"name":"weir"}}');
    const second = start(kernel);
    second.configure(userPlan);
    expect(backend.readTable(OWN)).toBe(undefined);
    expect(second.status().problems).toEqual([]);
  });

  it('set files have one member a line, and go with their set', () => {
    const kernel = kernelWith(true);
    const reconciler = start(kernel);
    reconciler.configure(userPlan);
    reconciler.apply([delta('web', [NET, '198.51.100.1/32'])]);
    now += 5_000;
    reconciler.poll();
    const lines = readFileSync(join(directory, 'sets', 'web.txt'), 'utf8')
      .trim()
      .split('\n');
    expect(lines.sort()).toEqual(['192.0.2.0/24', '198.51.100.1/32']);
    reconciler.configure({ targets: [], table: undefined });
    expect(() => readFileSync(join(directory, 'sets', 'web.txt'))).toThrow('ENOENT');
  });
});
