import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sessionContext } from '@weir/bgp/codec';
import type { Announcer, OutgoingSession } from '@weir/bgp/session';
import { type Ip, printIp } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DistributeConfig } from '../../../model/distribute.ts';
import { loadConfig } from '../../../sources/config/index.ts';
import { memoryFiles } from '../../../sources/yaml/memory-files.ts';
import { ClientMemory } from './client-memory.ts';

const TEXT = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables: { admins: { communities: ["65000:1"] } }
  clients:
    - { name: hosts, from: [198.51.100.0/24, "2001:db8:5::/64"] }
`;
const DISTRIBUTE = loadConfig('weir.yaml', memoryFiles({ 'weir.yaml': TEXT })).config?.distribute as DistributeConfig;

let directory = '';
let errors: string[] = [];
const heard: string[] = [];
const inner: Announcer = {
  established: ({ peer }) => heard.push(`up ${peer}`),
  refresh: (peer, family) => heard.push(`refresh ${peer} ${family}`),
  drained: (peer) => heard.push(`drained ${peer}`),
  down: (peer) => heard.push(`down ${peer}`),
};

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  directory = mkdtempSync(join(tmpdir(), 'weir-clients-'));
  errors = [];
  heard.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

function memory(distribute: DistributeConfig | undefined = DISTRIBUTE): ClientMemory {
  return new ClientMemory(inner, {
    stateDirectory: directory,
    distribute: () => distribute,
    onError: ({ message }) => errors.push(message),
  });
}

function session(peer: string, localAddress?: string): OutgoingSession {
  return { peer, localAddress, context: sessionContext(), enhancedRefresh: false, send: () => 'down' };
}

/** Whom a process that starts now calls, once it does. */
function called(come: readonly string[] = []): readonly string[] {
  const calls: string[] = [];
  const started = memory();
  started.begin((address: Ip, source: Ip | undefined) => calls.push(`${printIp(address)} from ${source ? printIp(source) : 'any'}`));
  for (const peer of come) started.established(session(peer));
  vi.advanceTimersByTime(1_000);
  expect(calls).toEqual([]);
  vi.advanceTimersByTime(10_000);
  started.close();
  return calls;
}

test('clients that were there are called, from the address that they know, where they do not come by themselves', () => {
  const before = memory();
  before.established(session('hosts-198.51.100.7', '192.0.2.1'));
  before.established(session('hosts-198.51.100.8', '192.0.2.1'));
  before.established(session('hosts-2001:db8:5::9'));
  before.established(session('core', '192.0.2.1'));
  // It is killed a little later.
  vi.advanceTimersByTime(1_000);
  expect(called(['hosts-198.51.100.8'])).toEqual(['198.51.100.7 from 192.0.2.1', '2001:db8:5::9 from any']);
  expect(errors).toEqual([]);
});

test('sessions that ended with the process are remembered, those that ended long before it are not', () => {
  const before = memory();
  for (const last of [7, 8]) before.established(session(`hosts-198.51.100.${last}`, '192.0.2.1'));
  before.down('hosts-198.51.100.7', 'transport');
  vi.advanceTimersByTime(3600_000);
  before.down('hosts-198.51.100.8', 'admin');
  before.close();
  expect(called()).toEqual(['198.51.100.8 from 192.0.2.1']);
  vi.advanceTimersByTime(3600_000);
  expect(called()).toEqual([]);
});

test('who ended a session is not called', () => {
  const before = memory();
  for (const last of [7, 8]) before.established(session(`hosts-198.51.100.${last}`));
  before.down('hosts-198.51.100.7', 'notification-received');
  before.close();
  expect(called()).toEqual(['198.51.100.8 from any']);
});

test('what the sessions say goes on to who announces', () => {
  const made = memory();
  made.established(session('hosts-198.51.100.7'));
  made.refresh('hosts-198.51.100.7', 'ipv4 unicast');
  made.drained('hosts-198.51.100.7');
  made.down('hosts-198.51.100.7', 'transport');
  made.close();
  expect(heard).toEqual([
    'up hosts-198.51.100.7',
    'refresh hosts-198.51.100.7 ipv4 unicast',
    'drained hosts-198.51.100.7',
    'down hosts-198.51.100.7',
  ]);
});

test.each([
  { name: 'no JSON', text: '{"clients": [{', calls: [], errors: 1 },
  { name: 'something else', text: '[1, 2]', calls: [], errors: 0 },
  {
    name: 'entries that are none',
    text: '{"clients": [7, {"peer": "hosts-198.51.100.7"}, {"peer": "x-1", "address": "192.0.2.9"}, {"peer": "hosts-198.51.100.9", "address": "198.51.100.9"}]}',
    calls: ['198.51.100.9 from any'],
    errors: 0,
  },
])('a damaged file keeps nothing from starting: $name', ({ text, calls, errors: count }) => {
  writeFileSync(join(directory, 'clients.json'), text);
  expect(called()).toEqual(calls);
  expect(errors).toHaveLength(count);
});

test('where nothing is distributed there is no file', () => {
  const made = memory({ ...DISTRIBUTE, clients: [] });
  made.established(session('hosts-198.51.100.7'));
  made.close();
  expect(() => readFileSync(join(directory, 'clients.json'))).toThrow('ENOENT');
});
