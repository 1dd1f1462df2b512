import type { Route, RoutingRule } from '@weir/netlink/route';
import { KernelError } from '@weir/netlink/socket';
import { ip4 } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import type { PolicyRouting } from '../../kernel/routes/index.ts';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig } from '../../model/flow.ts';
import type { KernelEvent } from '../../model/kernel-port.ts';
import { PolicyRoutes } from './service.ts';

const CONFIG = { ...DEFAULT_FLOWSPEC, redirects: [] } as unknown as FlowConfig;
const HOP = { address: ip4(0xc0000209), path: { mark: 0x0f20_0000, table: 7900 } };
const FLOW = {
  rule: { address: 4 },
  treatment: { redirect: { kind: 'ip', address: HOP.address, copy: false } },
  path: HOP.path,
} as unknown as ActiveFlow;

const EPERM = 1;
const ENOMEM = 12;

/** A kernel with one way to everything, which refuses to add rules while `errno` is set. */
class Kernel {
  readonly own: RoutingRule[] = [];
  readonly table: Route[] = [];
  errno: number | undefined;
  opened = 0;
  closed = 0;
  now = 0;
  readonly events: KernelEvent[] = [];
  readonly routes: PolicyRoutes = new PolicyRoutes({
    open: () => this.#open(),
    emit: (event) => this.events.push(event),
    now: () => this.now,
  });

  #open(): PolicyRouting {
    this.opened++;
    return {
      rules: () => ({ own: this.own, foreign: [] }),
      routes: (_family: number, table: number) => ({ own: this.table.filter((route) => route.table === table), foreign: 0 }),
      resolve: () => ({ gateway: HOP.address, interface: 2 }),
      filtering: () => [],
      addRule: (rule: RoutingRule) => {
        if (this.errno !== undefined) throw new KernelError('add a routing rule', this.errno);
        this.own.push({ ...rule, action: 1, protocol: 87 });
      },
      deleteRule: (rule: RoutingRule) => void this.own.splice(this.own.indexOf(rule), 1),
      putRoute: (route: Route) => void this.table.push(route),
      deleteRoute: () => void this.table.splice(0),
      close: () => void this.closed++,
    } as unknown as PolicyRouting;
  }

  look(after = 1000): void {
    this.now += after;
    this.routes.poll();
  }
}

test.each([
  { name: 'a missing right', errno: EPERM, kind: 'not-permitted', says: 'CAP_NET_ADMIN' },
  { name: 'anything else', errno: ENOMEM, kind: 'refused', says: 'ENOMEM' },
])('$name is a problem, tried again, and never taken for a change of others', ({ errno, kind, says }) => {
  const kernel = new Kernel();
  kernel.errno = errno;
  kernel.routes.prepare(CONFIG, [FLOW]);
  kernel.routes.settle();
  expect(kernel.routes.problems).toMatchObject([{ kind, message: expect.stringContaining(says) }]);
  for (let i = 0; i < 5; i++) kernel.look();
  expect(kernel.routes.problems).toHaveLength(1);
  kernel.errno = undefined;
  kernel.look(60_000);
  expect([kernel.routes.problems, kernel.own.length, kernel.routes.repairs]).toEqual([[], 1, 0]);
  expect(kernel.events.map((event) => event.kind)).toEqual(['problem', 'problem-over']);
});

test('the socket is there only while something depends on the routing', () => {
  const kernel = new Kernel();
  kernel.routes.prepare(CONFIG, []);
  kernel.routes.settle();
  expect([kernel.opened, kernel.closed]).toEqual([1, 1]);
  kernel.routes.prepare(CONFIG, []);
  kernel.routes.settle();
  kernel.look();
  expect(kernel.opened).toBe(1);
  kernel.routes.prepare(CONFIG, [FLOW]);
  kernel.routes.settle();
  expect([kernel.opened, kernel.closed, kernel.own.length, kernel.table.length]).toEqual([2, 1, 1, 1]);
  kernel.routes.prepare(CONFIG, []);
  expect(kernel.own).toHaveLength(1);
  kernel.routes.settle();
  expect([kernel.closed, kernel.own.length, kernel.table.length]).toEqual([2, 0, 0]);
});
