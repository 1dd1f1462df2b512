import { expect, test } from 'vitest';
import type { Tenant } from '../model/tenant.ts';
import { testConfig } from '../state/test-fixtures.ts';
import { keepFaulty } from './keep-faulty.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

function tenant(name: string, netns: string = name): Tenant {
  const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
  return { name, netns, interfaces: undefined, sets: [], firewall: undefined, policy: undefined, span };
}

function loaded(tenants: readonly Tenant[], faulty: readonly string[], netns?: string): DaemonConfig {
  const faultyTenants = faulty.map((name) => ({ name, mistake: 'x', errors: 1 }));
  const config = testConfig([], [], { tenants, faultyTenants, netns });
  return { config, readable: true, texts: new Map(), digest: '', errors: [], warnings: [] };
}

const rows: readonly {
  readonly name: string;
  readonly now: DaemonConfig;
  readonly earlier: readonly (readonly Tenant[])[];
  readonly want: readonly string[];
}[] = [
  { name: 'nothing is faulty', now: loaded([tenant('blue')], []), earlier: [[tenant('red')]], want: ['blue blue'] },
  { name: 'as it was', now: loaded([tenant('blue')], ['red']), earlier: [[tenant('red', 'r')]], want: ['blue blue', 'red r'] },
  {
    name: 'as the latest that had it',
    now: loaded([], ['red', 'new']),
    earlier: [[tenant('blue')], [tenant('red', '2')], [tenant('red', '1')]],
    want: ['red 2'],
  },
  {
    name: 'its namespace is another’s now',
    now: loaded([tenant('blue', '/run/netns/x')], ['red']),
    earlier: [[tenant('red', 'x')]],
    want: ['blue /run/netns/x'],
  },
  { name: 'its namespace is the daemon’s now', now: loaded([], ['red'], 'x'), earlier: [[tenant('red', '/var/run/netns/x')]], want: [] },
];

test.each(rows)('$name', ({ now, earlier, want }) => {
  const { config } = keepFaulty(
    now,
    earlier.map((tenants) => testConfig([], [], { tenants })),
  );
  expect(config?.tenants.map((one) => `${one.name} ${one.netns}`)).toEqual(want);
});
