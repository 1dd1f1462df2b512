import { statSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { FakeServiceManager } from './fake-service-manager.ts';

const main = new URL('../../apps/weir/src/main.ts', import.meta.url).pathname;
const ADDRESS = '192.0.2.1';

interface Scene {
  readonly firewall: Host;
  readonly client: Host;
  readonly manager: FakeServiceManager;
  readonly start: (netns?: string) => Promise<void>;
  /** The table as nft lists it, without who holds it and what it has counted. */
  readonly table: () => Promise<string>;
  /** What a connection to a closed port comes to: `refused` when the packet went through. */
  readonly knock: () => Promise<string>;
}

async function scene(): Promise<Scene> {
  const lab = labForTest();
  const firewall = await lab.host('fw');
  const client = await lab.host('client');
  await lab.link(
    { host: firewall, name: 'eth0', addresses: [`${ADDRESS}/24`] },
    { host: client, name: 'eth0', addresses: ['192.0.2.2/24'] },
  );
  const directory = lab.directory('weir');
  const file = `${directory}/weir.yaml`;
  writeFileSync(
    file,
    `bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64513 }] }
sets:
  web: { kind: allow, communities: ["64512:80"], guard: { peers: [core], prefixes: [203.0.113.0/24] }, on_session_loss: hold 2m }
firewall:
  table: weir_fw
  borders:
    - { name: here, from: [eth0], to: local, allow: [{ set: web, protocol: tcp, ports: [80] }] }
state_directory: ${directory}/state
socket: ${directory}/weir.sock
`,
  );
  const manager = new FakeServiceManager(`${directory}/notify`);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(manager.output);
    await manager.close();
  });
  const start = async (netns = firewall.path): Promise<void> => {
    manager.start(netns, [process.execPath, '--conditions=source', '--import', 'tsx', main, 'run', '-c', file]);
    await waitFor('READY', async () => manager.messages.some((text) => text.startsWith('READY=1')), { timeoutMs: 60_000 });
  };
  return {
    firewall,
    client,
    manager,
    start,
    table: async () =>
      (await firewall.exec('nft', ['list', 'table', 'inet', 'weir_fw'])).stdout
        .replace(/ # progname.*/, '')
        .replace(/packets \d+ bytes \d+/g, ''),
    knock: async () => client.tcpConnect(ADDRESS, 9, 300),
  };
}

describe('the socket that owns the table, held by a service manager', () => {
  it('keeps the table from the flush of others while Weir is down, and Weir goes on with it', async () => {
    const s = await scene();
    expect(await s.knock()).toBe('refused');
    await s.start();
    await waitFor('the socket to be held', async () => s.manager.store.size === 1);
    expect([...s.manager.store.keys()]).toEqual(['weir-table']);
    const before = await s.table();
    expect(before).toContain('flags owner');
    expect(await s.knock()).not.toBe('refused');

    for (let round = 0; round < 2; round++) {
      await s.manager.kill();
      await s.firewall.nft('flush ruleset');
      expect(await s.table()).toBe(before);
      expect(await s.knock()).not.toBe('refused');

      const monitor = s.firewall.spawn('nft', ['monitor', 'ruleset'], { name: 'nft monitor' });
      await s.start();
      // What is held is held still: it is not sent again.
      expect(s.manager.messages.filter((text) => text.includes('FDSTORE'))).toEqual([]);
      expect(await s.table()).toBe(before);
      await monitor.close();
      expect(monitor.stdout).toBe('');
    }
  });

  it('is given up for a new one when it is of another namespace', async () => {
    const s = await scene();
    await s.start(s.client.path);
    await waitFor('the socket to be held', async () => s.manager.store.size === 1);
    const first = statSync(`/proc/self/fd/${s.manager.store.get('weir-table')}`).ino;
    await s.manager.kill();
    await s.start();
    await waitFor('another to be held', async () => statSync(`/proc/self/fd/${s.manager.store.get('weir-table')}`).ino !== first);
    await s.manager.kill();
    await s.firewall.nft('flush ruleset');
    expect(await s.table()).toContain('flags owner');
  });
});
