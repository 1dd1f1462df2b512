import { RoutingClient } from '@weir/netlink/route';
import { ip4, ip6, parseIp } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PolicyRouting } from '../../apps/weir/src/kernel/routes/index.ts';
import type { ActiveFlow, FlowConfig, FlowHop, NextHopState } from '../../apps/weir/src/model/flow.ts';
import type { KernelEvent } from '../../apps/weir/src/model/kernel-port.ts';
import { testFlowConfig, testRedirects } from '../../apps/weir/src/model/test-flow.ts';
import { clearPolicyRoutes, PolicyRoutes, poolTables } from '../../apps/weir/src/reconcile/policy-routes/index.ts';
import { type Host, Lab } from '../lab/index.ts';

const CONFIG = testFlowConfig({ redirects: testRedirects({ '64512:80': 100 }) });

let lab: Lab;
let host: Host;
let now = 0;
let events: KernelEvent[] = [];

beforeEach(async () => {
  lab = new Lab();
  host = await lab.host('host');
  const other = await lab.host('other');
  await lab.link(
    { host, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8:1::1/64'] },
    { host: other, name: 'a', addresses: ['192.0.2.2/24', '2001:db8:1::2/64'] },
  );
  await lab.link({ host, name: 'eth1', addresses: ['198.51.100.1/24'] }, { host: other, name: 'b', addresses: ['198.51.100.2/24'] });
  [now, events] = [0, []];
});
afterEach(() => lab.dispose());

function ipOf(text: string): FlowHop['address'] {
  const address = parseIp(text);
  if (!address) throw new Error(text);
  return address;
}

function hopTo(text: string, index = 0): FlowHop {
  const { firstMark, firstTable } = CONFIG.routing;
  return { address: ipOf(text), path: { mark: firstMark + index, table: firstTable + index } };
}

/** A flow rule as far as the routing is concerned. */
function redirect({ address, path }: FlowHop): ActiveFlow {
  return {
    rule: { address: address.family },
    treatment: { redirect: { kind: 'ip', address, copy: false } },
    path,
  } as unknown as ActiveFlow;
}

function toTable(family: 4 | 6): ActiveFlow {
  const administrator = { kind: 'as2', asn: 64512 };
  return { rule: { address: family }, treatment: { redirect: { kind: 'rt', administrator, local: 80 } } } as unknown as ActiveFlow;
}

function open(): PolicyRoutes {
  return new PolicyRoutes({ open: () => new PolicyRouting(host.path), emit: (event) => events.push(event), now: () => now });
}

function put(routes: PolicyRoutes, flows: readonly ActiveFlow[], config: FlowConfig | undefined = CONFIG): void {
  routes.prepare(config, flows);
  routes.settle();
}

function look(routes: PolicyRoutes): void {
  now += 1000;
  routes.poll();
}

async function json(...args: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  // A table that was never there is an error.
  const { stdout } = await host.exec('ip', ['-j', ...args], { allowFailure: true });
  return stdout.trim() === '' ? [] : JSON.parse(stdout.replace(/^\[\[/, '['));
}

/** Rules that the system does not have by itself, as `ip` shows them. */
async function rules(family: '-4' | '-6' = '-4'): Promise<readonly string[]> {
  const all = await json(family, 'rule');
  return all
    .filter(({ priority }) => ![0, 32766, 32767].includes(Number(priority)))
    .map(({ priority, fwmark, table, protocol }) => `${priority}: fwmark ${fwmark} lookup ${table} proto ${protocol}`);
}

async function table(number: number, family: '-4' | '-6' = '-4'): Promise<readonly string[]> {
  const all = await json(family, 'route', 'show', 'table', String(number));
  return all.map(({ dst, gateway, dev, protocol, flags }) => `${dst} via ${gateway} dev ${dev} proto ${protocol} ${String(flags)}`);
}

const told = (): readonly NextHopState[] => events.flatMap((event) => (event.kind === 'next-hops' ? event.hops : []));
const drifts = (): readonly string[] => events.flatMap((event) => (event.kind === 'drift' ? [event.detail] : []));

const RULE = '790: fwmark 0xf200000 lookup 7900 proto 87';
const ROUTE = 'default via 192.0.2.2 dev eth0 proto 87 onlink';

describe('rules and routes of the routing policy', () => {
  test('are there while a flow rule asks for them, in both families', async () => {
    const routes = open();
    const flows = [redirect(hopTo('192.0.2.2')), redirect(hopTo('2001:db8:1::2', 1)), toTable(4)];
    put(routes, flows);
    expect(routes.problems).toEqual([]);
    expect(await rules()).toEqual(expect.arrayContaining([RULE, '790: fwmark 0xf100000 lookup 100 proto 87']));
    expect(await rules()).toHaveLength(2);
    expect(await rules('-6')).toEqual(['790: fwmark 0xf200001 lookup 7901 proto 87']);
    expect(await table(7900)).toEqual([ROUTE]);
    expect(await table(7901, '-6')).toEqual(['default via 2001:db8:1::2 dev eth0 proto 87 onlink']);
    put(routes, flows.slice(1));
    expect([await rules(), await table(7900)]).toEqual([['790: fwmark 0xf100000 lookup 100 proto 87'], []]);
    put(routes, []);
    expect([await rules(), await rules('-6'), await table(7901, '-6')]).toEqual([[], [], []]);
    routes.close({ clear: false });
  });

  test('what becomes free goes only when the flow rules judge', async () => {
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    routes.prepare(CONFIG, [redirect(hopTo('198.51.100.2', 1))]);
    expect(await rules()).toHaveLength(2);
    routes.settle();
    expect(await rules()).toEqual(['790: fwmark 0xf200001 lookup 7901 proto 87']);
    routes.close({ clear: false });
  });

  test('the routing sends what has the mark to the address, and nothing else', async () => {
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    await host.ip('route', 'add', '203.0.113.0/24', 'via', '198.51.100.2');
    const way = async (...more: readonly string[]) =>
      (await json('route', 'get', '203.0.113.7', ...more)).map(({ dev, gateway }) => [dev, gateway]);
    expect(await way('mark', '0x0f200000')).toEqual([['eth0', '192.0.2.2']]);
    expect(await way()).toEqual([['eth1', '198.51.100.2']]);
    routes.close({ clear: false });
  });

  test('an address behind a router is reached by that router, and by another when the routing changes', async () => {
    await host.ip('route', 'add', '203.0.113.9/32', 'via', '192.0.2.2');
    const routes = open();
    put(routes, [redirect(hopTo('203.0.113.9'))]);
    expect(await table(7900)).toEqual([ROUTE]);
    await host.ip('route', 'replace', '203.0.113.9/32', 'via', '198.51.100.2');
    look(routes);
    expect(await table(7900)).toEqual(['default via 198.51.100.2 dev eth1 proto 87 onlink']);
    expect([drifts(), routes.repairs]).toEqual([[], 0]);
    routes.close({ clear: false });
  });

  test('are found again by the next process, and stay as they are', async () => {
    const before = open();
    put(before, [redirect(hopTo('192.0.2.2')), redirect(hopTo('198.51.100.2', 1))]);
    const was = await host.ip('rule');
    // A crash: nothing is closed in order. The kernel is asked what others hear of it.
    const client = new RoutingClient(host.path);
    const after = open();
    after.prepare(CONFIG, [redirect(hopTo('192.0.2.2'))]);
    expect(await host.ip('rule')).toBe(was);
    after.settle();
    expect(await rules()).toEqual([RULE]);
    expect([await table(7900), await table(7901)]).toEqual([[ROUTE], []]);
    expect(client.rules(4).filter(({ protocol }) => protocol === 87)).toHaveLength(1);
    client.close();
    before.close({ clear: false });
    after.close({ clear: false });
  });

  test('of a process that died before it made the rule go as well, also where nothing is configured any more', async () => {
    await host.ip('route', 'add', 'default', 'via', '192.0.2.2', 'table', '7963', 'proto', '87');
    await host.ip('rule', 'add', 'fwmark', '0x77', 'lookup', '4000', 'priority', '12', 'protocol', '87');
    await host.ip('route', 'add', 'default', 'via', '192.0.2.2', 'table', '4000', 'proto', '87');
    const routes = open();
    put(routes, []);
    expect([await rules(), await table(7963), await table(4000)]).toEqual([[], [], []]);
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    routes.close({ clear: false });
    const other = open();
    put(other, [], undefined);
    expect([await rules(), await table(7900)]).toEqual([[], []]);
    other.close({ clear: false });
  });

  test('are taken out where that is asked for, and what the user has stays', async () => {
    await host.ip('rule', 'add', 'fwmark', '0x1', 'lookup', '7', 'priority', '790');
    await host.ip('route', 'add', '203.0.113.0/24', 'via', '192.0.2.2', 'table', '100');
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2')), toTable(4), toTable(6)]);
    expect(routes.problems).toMatchObject([{ kind: 'conflict', message: expect.stringContaining('priority 790') }]);
    routes.close({ clear: true });
    expect([await rules(), await rules('-6'), await table(7900)]).toEqual([['790: fwmark 0x1 lookup 7 proto undefined'], [], []]);
    expect(await table(100)).toHaveLength(1);
    const routing = new PolicyRouting(host.path);
    put(open(), [redirect(hopTo('192.0.2.2'))]);
    expect(clearPolicyRoutes(routing, poolTables(CONFIG))).toBe(2);
    expect(clearPolicyRoutes(routing, poolTables(CONFIG))).toBe(0);
    routing.close();
    expect(await rules()).toHaveLength(1);
  });

  test('what others undo is put right, and told', async () => {
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    await host.ip('rule', 'del', 'priority', '790');
    look(routes);
    expect(await rules()).toEqual([RULE]);
    await host.ip('route', 'flush', 'table', '7900');
    look(routes);
    expect(await table(7900)).toEqual([ROUTE]);
    await host.ip('route', 'replace', 'default', 'via', '198.51.100.2', 'table', '7900', 'proto', '87');
    look(routes);
    expect(await table(7900)).toEqual([ROUTE]);
    expect([routes.repairs, drifts().length]).toEqual([3, 3]);
    expect(drifts()[0]).toContain('the rule for mark 0xf200000');
    look(routes);
    expect(routes.repairs).toBe(3);
    routes.close({ clear: false });
  });

  test('who undoes it again and again is told of, and put right less often', async () => {
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    for (let i = 0; i < 14 && routes.problems.length === 0; i++) {
      await host.ip('rule', 'del', 'priority', '790');
      look(routes);
    }
    expect(routes.problems).toMatchObject([{ kind: 'drift' }]);
    expect(await rules()).toEqual([]);
    now += 60_000;
    look(routes);
    expect(await rules()).toEqual([RULE]);
    now += 120_000;
    look(routes);
    expect(routes.problems).toEqual([]);
    routes.close({ clear: false });
  });
});

describe('addresses that are asked about', () => {
  test('are told of at once, and again when the routing changes', async () => {
    const routes = open();
    put(routes, []);
    routes.watch([hopTo('192.0.2.2'), hopTo('203.0.113.9', 1)]);
    expect(told()).toEqual([
      { address: ip4(0xc0000202), refused: undefined },
      { address: ip4(0xcb007109), refused: 'there is no route to 203.0.113.9 (ENETUNREACH)' },
    ]);
    events = [];
    look(routes);
    expect(told()).toEqual([]);
    await host.ip('route', 'add', '203.0.113.0/24', 'via', '192.0.2.2');
    look(routes);
    expect(told()).toEqual([{ address: ip4(0xcb007109), refused: undefined }]);
    await host.ip('link', 'set', 'eth0', 'down');
    events = [];
    look(routes);
    expect(told().map(({ refused }) => refused)).toEqual([192, 203].map(() => expect.stringContaining('there is no route')));
    expect(await rules()).toEqual([]);
    routes.close({ clear: false });
  });

  test('what nothing can be redirected to', async () => {
    await host.ip('route', 'add', 'blackhole', '203.0.113.0/25');
    await host.ip('route', 'add', 'prohibit', '203.0.113.128/25');
    await host.ip('-6', 'route', 'add', 'unreachable', '2001:db8:7::/48');
    const routing = new PolicyRouting(host.path);
    const rows = {
      '192.0.2.1': 'is an address of this host',
      '2001:db8:1::1': 'is an address of this host',
      '192.0.2.255': 'there is no route to',
      '203.0.113.1': 'there is no route to',
      '203.0.113.129': 'there is no route to',
      '2001:db8:7::1': 'there is no route to',
      '2001:db8:9::1': 'there is no route to',
      '0.0.0.0': 'is of no network',
      '127.0.0.1': 'is of the loopback',
      '::1': 'is of the loopback',
      '224.0.0.1': 'is not of one host',
      'ff02::1': 'is not of one host',
      'fe80::1': 'is of one link only',
    };
    const answers = Object.keys(rows).map((text) => routing.resolve(ipOf(text)));
    routing.close();
    expect(answers).toEqual(Object.values(rows).map((text) => expect.stringContaining(text)));
  });

  test('a table with routes of others is not touched, and said to be taken', async () => {
    await host.ip('route', 'add', '203.0.113.0/24', 'via', '192.0.2.2', 'table', '7900');
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    routes.watch([hopTo('192.0.2.2')]);
    expect(told()).toMatchObject([{ refused: 'the table 7900, meant for packets to 192.0.2.2, has routes of others' }]);
    expect(routes.problems).toMatchObject([{ kind: 'conflict', message: expect.stringContaining('first_table') }]);
    expect([await rules(), (await table(7900)).length]).toEqual([[], 1]);
    await host.ip('route', 'flush', 'table', '7900');
    look(routes);
    expect(told().at(-1)?.refused).toBeUndefined();
    expect([await rules(), await table(7900), routes.problems]).toEqual([[RULE], [ROUTE], []]);
    routes.close({ clear: false });
  });

  test('where nothing is asked for, nothing is looked at', () => {
    const routes = open();
    put(routes, []);
    expect(routes.nextDue()).toBeUndefined();
    routes.watch([hopTo('2001:db8:1::2')]);
    expect(told()).toEqual([{ address: ip6(0x20010db8, 0x10000, 0, 2), refused: undefined }]);
    expect(routes.nextDue()).toBeGreaterThan(0);
    routes.watch([]);
    expect(routes.nextDue()).toBeUndefined();
    routes.close({ clear: false });
  });
});

describe('what the system drops because of the mark', () => {
  /** Whether a packet with the mark of a redirect to eth0, which comes in by eth1, is sent there. */
  async function passes(): Promise<boolean> {
    const args = ['route', 'get', '203.0.113.7', 'from', '198.51.100.2', 'iif', 'eth1', 'mark', '0x0f200000'];
    const { code, stdout } = await host.exec('ip', args, { allowFailure: true });
    return code === 0 && stdout.includes('via 192.0.2.2');
  }

  test.each([
    { filter: 1, mark: 0, want: true },
    { filter: 2, mark: 1, want: true },
    { filter: 0, mark: 1, want: true },
    { filter: 1, mark: 1, want: false },
  ])('rp_filter $filter, src_valid_mark $mark', async ({ filter, mark, want }) => {
    await host.sysctl('net.ipv4.ip_forward', 1);
    for (const name of ['eth0', 'eth1']) await host.sysctl(`net.ipv4.conf.${name}.rp_filter`, filter);
    await host.sysctl('net.ipv4.conf.all.rp_filter', 0);
    await host.sysctl('net.ipv4.conf.all.src_valid_mark', mark);
    const routes = open();
    put(routes, [redirect(hopTo('192.0.2.2'))]);
    expect(await passes()).toBe(want);
    expect(routes.problems.map(({ kind, message }) => [kind, message.includes('eth0, eth1')])).toEqual(want ? [] : [['conflict', true]]);
    await host.sysctl('net.ipv4.conf.all.src_valid_mark', 0);
    now += 20_000;
    look(routes);
    expect(routes.problems).toEqual([]);
    routes.close({ clear: false });
  });
});
