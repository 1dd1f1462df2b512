import { parseIp } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RouteTable } from '../../apps/weir/src/kernel/routes/index.ts';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('host');
  const [left, right] = [await lab.host('left'), await lab.host('right')];
  await lab.link({ host, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8:1::1/64'] }, { host: left, addresses: ['192.0.2.2/24'] });
  await lab.link(
    { host, name: 'wg0', addresses: ['198.51.100.1/24', '2001:db8:2::1/64'] },
    { host: right, addresses: ['198.51.100.2/24'] },
  );
  const ip = (...args: readonly string[]): Promise<unknown> => host.exec('ip', args);
  await ip('route', 'add', '203.0.113.0/26', 'nexthop', 'via', '192.0.2.2', 'nexthop', 'via', '198.51.100.2');
  await ip('-6', 'route', 'add', '2001:db8:3::/48', 'nexthop', 'via', '2001:db8:1::2', 'nexthop', 'via', '2001:db8:2::2');
  await ip('route', 'add', '203.0.113.64/26', 'via', '198.51.100.2');
  await ip('route', 'add', 'blackhole', '203.0.113.128/26');
  await ip('route', 'add', 'local', '203.0.113.192/26', 'dev', 'lo');
});

afterAll(() => lab.dispose());

function routes(): (text: string) => string {
  const table = new RouteTable(host.path);
  return (text) => {
    const address = parseIp(text);
    if (!address) throw new Error(text);
    const to = table.to(address);
    const where = to === undefined ? 'unknown' : to.kind === 'local' ? 'local' : (to.interfaces?.toSorted().join(' ') ?? 'somewhere');
    return `${where}${table.isLocal(address) ? ', an own address' : ''}`;
  };
}

describe('where packets go', () => {
  const rows = [
    { name: 'a neighbour', address: '192.0.2.2', want: 'eth0' },
    { name: 'a neighbour, IPv6', address: '2001:db8:2::9', want: 'wg0' },
    { name: 'an own address', address: '198.51.100.1', want: 'local, an own address' },
    { name: 'an own address, IPv6', address: '2001:db8:1::1', want: 'local, an own address' },
    { name: 'loopback', address: '127.5.5.5', want: 'local, an own address' },
    { name: 'loopback, IPv6', address: '::1', want: 'local, an own address' },
    { name: 'a broadcast', address: '192.0.2.255', want: 'local' },
    { name: 'a route', address: '203.0.113.70', want: 'wg0' },
    { name: 'two ways', address: '203.0.113.7', want: 'eth0 wg0' },
    { name: 'two ways, IPv6', address: '2001:db8:3::7', want: 'eth0 wg0' },
    { name: 'a black hole', address: '203.0.113.130', want: 'unknown' },
    { name: 'no address, but delivered here', address: '203.0.113.200', want: 'local' },
    { name: 'no route', address: '10.0.0.1', want: 'unknown' },
    { name: 'no route, IPv6', address: '2001:db8:ffff::1', want: 'unknown' },
    { name: 'a group', address: '224.0.0.251', want: 'unknown' },
    { name: 'a neighbour on any link', address: 'fe80::1', want: 'unknown' },
  ] as const;

  test('by the table', () => {
    const to = routes();
    for (const { name, address, want } of rows) expect([name, to(address)]).toEqual([name, want]);
    // As it was: an answer is remembered.
    expect(to('203.0.113.70')).toBe('wg0');
  });

  test('by more than the table: nothing is known but the own addresses', async () => {
    await host.exec('ip', ['rule', 'add', 'fwmark', '1', 'lookup', '100']);
    const to = routes();
    expect([to('203.0.113.70'), to('192.0.2.1'), to('2001:db8:2::9')]).toEqual(['unknown', 'local, an own address', 'wg0']);
    await host.exec('ip', ['rule', 'del', 'fwmark', '1']);
    expect(routes()('203.0.113.70')).toBe('wg0');
    for (const rule of [
      ['from', '192.0.2.0/24', 'lookup', 'main'],
      ['iif', 'eth0', 'lookup', 'main'],
      ['lookup', '100'],
    ]) {
      await host.exec('ip', ['rule', 'add', ...rule, 'priority', '50']);
      expect([rule, routes()('203.0.113.70')]).toEqual([rule, 'unknown']);
      await host.exec('ip', ['rule', 'del', 'priority', '50']);
    }
  });
});
