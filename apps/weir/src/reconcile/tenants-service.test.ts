import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_FIREWALL } from '../compile/judgement/index.ts';
import type { KernelBackend, SetAddress } from '../kernel/backend.ts';
import { FakeKernel } from '../kernel/fake/index.ts';
import type { Config } from '../model/config.ts';
import type { KernelEvent } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import type { Tenant } from '../model/tenant.ts';
import { testConfig, testSet } from '../state/test-fixtures.ts';
import { restoreTenants } from './restore-tenants.ts';
import { holdImages } from './tenant-directories.ts';
import { TenantsService } from './tenants-service.ts';

const HOSTS: SetAddress = { family: 'inet', table: 'weir', set: 'web_v4' };
const SPAN = { file: 'weir.yaml', line: 1, column: 1, length: 1 };

let directory: string;
let events: KernelEvent[];
/** What stands for namespaces: files, each with a kernel of its own. */
let kernels: Map<string, FakeKernel>;
let broken: Set<string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-tenants-'));
  events = [];
  kernels = new Map();
  broken = new Set();
  for (const name of ['host', 'blue', 'red']) make(name);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const pathOf = (name: string): string => join(directory, `ns-${name}`);

let made = 0;
function make(name: string): void {
  // Another file under the same name has another number.
  writeFileSync(join(directory, `other-${++made}`), '');
  writeFileSync(pathOf(name), '');
  kernels.set(pathOf(name), new FakeKernel({ ownership: true }));
}

function open(netns: string): KernelBackend {
  if (broken.has(netns)) throw Object.assign(new Error('it is broken'), { code: 'EPERM' });
  const kernel = kernels.get(netns);
  if (!kernel) throw new Error(`no kernel ${netns}`);
  const backend = kernel.open();
  // The fake does not sleep.
  return Object.assign(backend, { wait: (ms: number) => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), ms)) });
}

function tenant(name: string, netns: string = pathOf(name)): Tenant {
  const sets = [testSet('web', { target: { kind: 'owned' } })];
  const span = SPAN;
  const border = { name: 'in', from: ['eth0'], to: 'local', deny: [], established: true, default: 'drop', span } as const;
  const allow = [{ set: 'web', protocol: 'any', ports: [], span } as const];
  return {
    name,
    netns,
    interfaces: undefined,
    sets,
    firewall: { ...DEFAULT_FIREWALL, borders: [{ ...border, allow }] },
    policy: undefined,
    span,
  };
}

function config(...tenants: readonly Tenant[]): Config {
  return testConfig([], [], { tenants, stateDirectory: join(directory, 'state'), netns: pathOf('host') });
}

function service(): TenantsService {
  const stateDirectory = join(directory, 'state');
  return new TenantsService({ backend: open(pathOf('host')), netns: pathOf('host'), stateDirectory, open, emit: (e) => events.push(e) });
}

function delta(set: string, texts: readonly string[], complete = false): MemberDelta {
  const own = texts.map(prefix);
  const words = Uint32Array.from(own, (p) => p.w0);
  const lengths = Uint8Array.from(own, (p) => p.length);
  return {
    set,
    family: 4,
    count: own.length,
    words,
    lengths,
    wanted: new Uint8Array(own.length).fill(1),
    complete,
    oldest: Number.POSITIVE_INFINITY,
  };
}

function none(set: string): MemberDelta {
  return { ...delta(set, [], true), family: 6 };
}

function members(name: string): number | undefined {
  const table = kernels.get(pathOf(name))?.ruleset.table(HOSTS);
  return table?.sets.get(HOSTS.set)?.elements.size;
}

async function until(test: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !test(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(test()).toBe(true);
}

const problems = async (s: TenantsService): Promise<unknown[]> =>
  (await s.status()).problems.map(({ tenant: name, kind, message }) => [name, kind, message.replaceAll(directory, '')]);

describe('tenants in the kernel worker', () => {
  it('each has its own namespace and state; a route for one is not the other’s', async () => {
    const s = service();
    await s.configure(config(tenant('blue'), tenant('red')));
    await s.apply([delta('blue/web', ['203.0.113.1/32'], true), delta('red/web', ['203.0.113.2/32', '203.0.113.3/32'], true)]);
    expect([members('blue'), members('red'), kernels.get(pathOf('host'))?.ruleset.table(HOSTS)]).toEqual([1, 2, undefined]);
    const status = await s.status();
    expect(status.tenants.map((t) => [t.name, t.open, t.ownedTable?.name])).toEqual([
      ['blue', true, 'weir'],
      ['red', true, 'weir'],
    ]);
    expect(status.sets.filter((one) => one.family === 4).map((one) => [one.set, one.installed])).toEqual([
      ['blue/web', 1],
      ['red/web', 2],
    ]);
    expect(new Set(status.rules.map((rule) => rule.tenant))).toEqual(new Set(['blue', 'red']));
    await s.close({ clear: false });
    expect(readdirSync(join(directory, 'state/tenants')).sort()).toEqual(['blue', 'red']);
    expect(readFileSync(join(directory, 'state/tenants/red/sets/web.txt'), 'utf8')).toBe('203.0.113.2/32\n203.0.113.3/32\n');
    // A new start finds them again, under the names that everybody else knows.
    const again = service();
    const found = await again.configure(config(tenant('blue'), tenant('red')));
    expect(found.map((one) => [one.set, one.count])).toEqual([
      ['blue/web', 1],
      ['red/web', 2],
    ]);
    await again.close({ clear: true });
    expect([members('blue'), members('red'), readdirSync(join(directory, 'state/tenants'))]).toEqual([undefined, undefined, []]);
  });

  it('one that is missing, one that may not be entered and one that is another’s hold up nobody', async () => {
    broken.add(pathOf('red'));
    make('same');
    const s = service();
    await s.configure(
      config(tenant('gone', pathOf('gone')), tenant('red'), tenant('own', pathOf('host')), tenant('blue'), tenant('twin', pathOf('blue'))),
    );
    await s.apply([delta('gone/web', ['203.0.113.1/32']), delta('red/web', ['203.0.113.1/32']), delta('blue/web', ['203.0.113.1/32'])]);
    expect(members('blue')).toBe(1);
    expect(await problems(s)).toEqual([
      ['gone', 'namespace-missing', 'there is no network namespace /ns-gone'],
      ['red', 'not-permitted', 'it is broken'],
      ['own', 'namespace-shared', 'the network namespace /ns-host is that of the daemon'],
      ['twin', 'namespace-shared', 'the network namespace /ns-blue is that of the tenant blue'],
    ]);
    await s.close({ clear: false });
  });

  it('a namespace that goes is let go of; when it comes again it is filled, its table not before its members', async () => {
    const s = service();
    const own = config(tenant('blue'), tenant('red'));
    await s.configure(own);
    await s.apply([delta('blue/web', ['203.0.113.1/32'], true), delta('red/web', ['203.0.113.2/32'], true)]);
    rmSync(pathOf('blue'));
    await until(() => events.some((e) => e.kind === 'tenant' && e.state === 'gone'));
    expect(await problems(s)).toEqual([['blue', 'namespace-missing', 'the network namespace /ns-blue is gone']]);
    await s.apply([delta('blue/web', ['203.0.113.9/32']), delta('red/web', ['203.0.113.3/32'])]);
    expect(members('red')).toBe(2);
    make('blue');
    await until(() => events.some((e) => e.kind === 'tenant' && e.state === 'appeared'));
    await s.configure(own);
    // Nothing is judged before the members are there.
    expect(kernels.get(pathOf('blue'))?.ruleset.table(HOSTS)?.chains.size ?? 0).toBe(0);
    await s.apply([
      delta('blue/web', ['203.0.113.1/32', '203.0.113.9/32'], true),
      { ...delta('blue/web', [], true), family: 6, words: new Uint32Array(0) },
    ]);
    expect([members('blue'), members('red'), await problems(s)]).toEqual([2, 2, []]);
    await s.close({ clear: false });
  });

  it('a tenant that is taken out of the configuration is taken out of the kernel, also when that was while nothing ran; one with mistakes stays', async () => {
    const first = service();
    await first.configure(config(tenant('blue'), tenant('red')));
    await first.configure({ ...config(), faultyTenants: [{ name: 'blue', mistake: 'x', errors: 1 }] });
    expect([members('blue'), members('red')]).toEqual([0, undefined]);
    expect(existsSync(join(directory, 'state/tenants/red'))).toBe(false);
    await first.close({ clear: false });
    const second = service();
    await second.configure({ ...config(), faultyTenants: [{ name: 'blue', mistake: 'x', errors: 1 }] });
    expect(members('blue')).toBe(0);
    await second.close({ clear: false });
    const third = service();
    await third.configure(config());
    expect(members('blue')).toBeUndefined();
    expect(existsSync(join(directory, 'state/tenants/blue'))).toBe(false);
    await third.close({ clear: false });
  });

  it('one whose configuration names another namespace than its state is taken out of that one, unless another tenant has it now', async () => {
    const first = service();
    await first.configure(config(tenant('blue'), tenant('red')));
    await first.apply([delta('blue/web', ['203.0.113.1/32'], true), delta('red/web', ['203.0.113.2/32'], true)]);
    await first.close({ clear: false });
    for (const name of ['green', 'black']) make(name);
    const second = service();
    await second.configure(config(tenant('blue', pathOf('green')), tenant('red', pathOf('black')), tenant('next', pathOf('red'))));
    expect([members('blue'), members('green'), members('red'), members('black')]).toEqual([undefined, 0, 1, 0]);
    expect(await problems(second)).toEqual([]);
    await second.close({ clear: false });
  });

  it('one that could not be opened is taken out of the kernel all the same, at the next start if not at once', async () => {
    const first = service();
    await first.configure(config(tenant('blue'), tenant('red')));
    await first.close({ clear: false });
    const second = service();
    for (const name of ['blue', 'red']) broken.add(pathOf(name));
    await second.configure(config(tenant('blue'), tenant('red')));
    broken.delete(pathOf('blue'));
    await second.configure(config());
    expect([members('blue'), members('red')]).toEqual([undefined, 0]);
    expect(readdirSync(join(directory, 'state/tenants'))).toEqual(['red']);
    expect(events.at(-1)).toEqual({ kind: 'failed', message: 'tenant red: it is broken' });
    await second.close({ clear: false });
    broken.clear();
    const third = service();
    await third.configure(config());
    expect([members('red'), readdirSync(join(directory, 'state/tenants'))]).toEqual([undefined, []]);
    await third.close({ clear: false });
  });

  it.each([
    { name: 'while it runs', stopped: false, held: false },
    { name: 'while nothing ran', stopped: true, held: false },
    { name: 'by a change that waits to be confirmed', stopped: false, held: true },
  ])('one that is called otherwise $name keeps its rules and members all the time', async ({ stopped, held }) => {
    const state = join(directory, 'state');
    let s = service();
    await s.configure(config(tenant('blue')));
    await s.apply([delta('blue/web', ['203.0.113.1/32'], true), none('blue/web')]);
    const table = kernels.get(pathOf('blue'))?.ruleset.table(HOSTS);
    const input = table?.chains.get('input');
    expect(input).toBeDefined();
    if (held) holdImages(state, true);
    if (stopped) {
      await s.close({ clear: false });
      s = service();
    }
    const found = await s.configure(config(tenant('azure', pathOf('blue'))));
    expect(found.map((one) => [one.set, one.count])).toEqual([['azure/web', 1]]);
    expect([kernels.get(pathOf('blue'))?.ruleset.table(HOSTS)?.chains.get('input') !== undefined, members('blue')]).toEqual([true, 1]);
    expect(readdirSync(join(state, 'tenants')).filter((name) => name !== 'confirmed')).toEqual(held ? ['azure', 'blue'] : ['azure']);
    await s.apply([delta('azure/web', ['203.0.113.1/32', '203.0.113.2/32'], true), none('azure/web')]);
    if (held) {
      // Nobody has confirmed it: the members are those of then until the others come.
      await s.configure(config(tenant('blue')));
      expect([kernels.get(pathOf('blue'))?.ruleset.table(HOSTS)?.chains.get('input') !== undefined, members('blue')]).toEqual([true, 1]);
      await s.apply([delta('blue/web', ['203.0.113.1/32'], true), none('blue/web')]);
      holdImages(state, false);
      expect([members('blue'), readdirSync(join(state, 'tenants'))]).toEqual([1, ['blue']]);
    }
    expect(await problems(s)).toEqual([]);
    await s.close({ clear: true });
    expect(members('blue')).toBeUndefined();
  });

  it('a boot restores each by itself; while a change waits, only what was there before it', async () => {
    const s = service();
    await s.configure(config(tenant('blue')));
    await s.apply([delta('blue/web', ['203.0.113.1/32'], true)]);
    holdImages(join(directory, 'state'), true);
    await s.configure(config(tenant('blue'), tenant('red')));
    await s.apply([delta('red/web', ['203.0.113.1/32'], true), none('red/web')]);
    await s.close({ clear: false });
    const state = join(directory, 'state');
    const again = async (): Promise<void> => {
      const daemon = service();
      await daemon.configure(config(tenant('blue'), tenant('red')));
      await daemon.apply([delta('red/web', ['203.0.113.1/32'], true), none('red/web'), delta('blue/web', ['203.0.113.1/32'], true)]);
      await daemon.close({ clear: false });
    };
    // Where no daemon is there to go back, the process beside the change takes out what came with it.
    restoreTenants(state, open, { clear: true });
    expect([members('blue'), members('red')]).toEqual([1, undefined]);
    await again();
    for (const name of ['blue', 'red']) make(name);
    const boot = restoreTenants(state, open, { clear: false });
    expect(boot.map((one) => [one.name, one.kind])).toEqual([['blue', 'restored']]);
    expect([members('blue'), members('red')]).toEqual([1, undefined]);
    holdImages(state, false);
    broken.add(pathOf('blue'));
    expect(restoreTenants(state, open, { clear: false }).map((one) => [one.name, one.kind])).toEqual([
      ['blue', 'failed'],
      ['red', 'restored'],
    ]);
    expect(members('red')).toBe(1);
  });
});
