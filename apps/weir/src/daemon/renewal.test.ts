import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compileKernelPlan, type KernelPlan } from '../compile/nft/targets.ts';
import { scopes } from '../model/scopes.ts';
import type { Texts } from '../sources/config/index.ts';
import { GenerationStore } from './generations/index.ts';
import { loadGeneration } from './load-daemon-config.ts';
import { confirmedConfig, renewer } from './renewal.ts';

const overrides = { socket: undefined, stateDirectory: undefined, netns: undefined };
const SAVED = Date.parse('2026-01-01T00:00:00Z');
const LATER = Date.parse('2026-03-01T00:00:00Z');

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-renewal-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const policy = (port: number): string => `default_action: deny
rules:
  - { name: guest, hook: forward, protocol: tcp, destination_ports: ${port}, action: allow, until: "2026-02-01T00:00:00Z" }
  - { name: web, hook: forward, protocol: tcp, destination_ports: 443, action: allow }
`;

function texts(port: number): Texts {
  return new Map([
    [
      '/etc/weir/weir.yaml',
      'bgp: { as: 64512, router_id: 192.0.2.1 }\npolicy: p.yaml\ntenants: { blue: { netns: blue, policy: p.yaml } }\n',
    ],
    ['/etc/weir/p.yaml', policy(port)],
  ]);
}

function keep(port: number, deadline?: number): void {
  const entry = { at: 1, cause: 'apply', by: 'test', file: '/etc/weir/weir.yaml', changes: [] } as const;
  GenerationStore.open(directory).add(entry, texts(port), deadline);
}

/** What the kernel side has saved, read again. */
function saved(port: number, tenant?: string): KernelPlan {
  const { config } = loadGeneration('/etc/weir/weir.yaml', texts(port), overrides);
  const own = scopes(config!).find((scope) => scope.tenant === tenant)!.config;
  return JSON.parse(JSON.stringify(compileKernelPlan(own, SAVED))) as KernelPlan;
}

function renewed(plan: KernelPlan, now: number, tenant?: string): { text: string; told: string[] } {
  const told: string[] = [];
  const renew = renewer(
    () => confirmedConfig(directory, overrides),
    now,
    (text) => told.push(text),
  );
  return { text: JSON.stringify(renew(tenant)(plan)), told };
}

test('a rule whose time has ended since is left out, and nothing else', () => {
  keep(22);
  for (const tenant of [undefined, 'blue']) {
    const plan = saved(22, tenant);
    expect(JSON.stringify(plan)).toContain('guest');
    const { text, told } = renewed(plan, LATER, tenant);
    expect(told).toEqual([`${tenant === undefined ? '' : 'tenant blue: '}the time of rule guest is over: it is left out`]);
    expect(text).not.toContain('guest');
    expect(text).toContain('web');
  }
});

test('before its time the plan is as it was saved', () => {
  keep(22);
  const plan = saved(22);
  expect(renewed(plan, SAVED + 1)).toEqual({ text: JSON.stringify(plan), told: [] });
});

test('while a change waits it is what was in force before', () => {
  keep(22);
  keep(2222, 1e15);
  expect(renewed(saved(22), LATER).text).not.toContain('guest');
});

test('a plan of another configuration stays as it is, and that is told', () => {
  keep(22);
  const plan = saved(2222);
  const { text, told } = renewed(plan, LATER);
  expect(text).toBe(JSON.stringify(plan));
  expect(told).toEqual([expect.stringContaining('the time of rule guest is over, but it stays')]);
});

test('so does one without a history, or of a time that was not written down', () => {
  const plan = saved(22);
  expect(renewed(plan, LATER)).toEqual({ text: JSON.stringify(plan), told: [] });
  keep(22);
  const { at, ...old } = plan;
  expect(at).toBe(SAVED);
  expect(renewed(old, LATER).told).toEqual([]);
});
