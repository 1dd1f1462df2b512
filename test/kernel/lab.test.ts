import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Lab, runCommand } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

async function pair(lab: Lab) {
  const client = await lab.host('client');
  const server = await lab.host('server');
  await lab.link(
    { host: client, addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
    { host: server, addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
  );
  return { client, server };
}

describe('lab', () => {
  test.each(['192.0.2.2', '2001:db8::2'])('connections to %s: open, refused, dropped, without a route', async (address) => {
    const { client, server } = await pair(labForTest());
    const listener = await server.tcpServer(address, 80);
    expect(await client.tcpConnect(address, 80)).toBe('connected');
    expect(await client.tcpConnect(address, 81)).toBe('refused');
    await server.nft(`table inet t {
      chain input { type filter hook input priority 0; tcp dport 80 drop; }
    }`);
    expect(await client.tcpConnect(address, 80, 200)).toBe('timeout');
    expect(await client.tcpConnect(address.includes(':') ? '2001:db8:1::1' : '198.51.100.1', 80)).toBe('unreachable');
    expect((await listener.state()).accepted).toBe(1);
  });

  test('a held connection echoes until it is filtered or closed', async () => {
    const { client, server } = await pair(labForTest());
    const listener = await server.tcpServer('192.0.2.2', 80);
    const held = await client.tcpHold('192.0.2.2', 80);
    expect(await held?.echo('one')).toBe('echo');
    await server.nft('table inet t { chain input { type filter hook input priority 0; tcp dport 80 drop; }; }');
    expect(await held?.echo('two', 100)).toBe('timeout');
    await server.nft('delete table inet t');
    await listener.close();
    expect(await held?.echo('three')).toBe('closed');
    expect(await client.tcpHold('192.0.2.2', 80)).toBeUndefined();
  });

  test('datagrams', async () => {
    const { client, server } = await pair(labForTest());
    const echo = await server.udpSocket('2001:db8::2', 53, { echo: true });
    const socket = await client.udpSocket('::', 0);
    expect(await socket.send('2001:db8::2', 53, 'question')).toBe('sent');
    expect(await socket.receive()).toEqual({ text: 'question', address: '2001:db8::2', port: 53 });
    expect(await socket.receive(50)).toBeUndefined();
    expect(await echo.count()).toBe(1);
  });

  test('a stream of connections sees a gap', async () => {
    const { client, server } = await pair(labForTest());
    await server.tcpServer('192.0.2.2', 80);
    const stream = await client.connectStream({ address: '192.0.2.2', port: 80, perSecond: 500, timeoutMs: 300 });
    await sleep(300);
    await server.nft('table inet t { chain input { type filter hook input priority 0; tcp dport 80 ct state new drop; }; }');
    await sleep(100);
    await server.nft('delete table inet t');
    await sleep(600);
    const report = await stream.stop();
    expect(report.attempts).toBe(report.connected + report.timeout);
    expect(report.timeout).toBeGreaterThan(0);
    expect(report.connected).toBeGreaterThan(100);
    expect(new Set(report.changes.map((change) => change.outcome))).toEqual(new Set(['connected', 'timeout']));
  });

  test('a tunnel: both families, same device name at both ends', async () => {
    const lab = labForTest();
    const { client, server } = await pair(lab);
    await lab.wireguard(
      { host: client, endpoint: '192.0.2.1', addresses: ['198.51.100.1/24', '2001:db8:1::1/64'] },
      { host: server, endpoint: '192.0.2.2', addresses: ['198.51.100.2/24', '2001:db8:1::2/64'] },
    );
    for (const address of ['198.51.100.2', '2001:db8:1::2']) {
      await server.tcpServer(address, 80);
      expect(await client.tcpConnect(address, 80, 5_000)).toBe('connected');
    }
    expect(await client.ip('-6', 'address', 'show', 'dev', 'wg0')).not.toContain('fe80');
  });

  test('nft as text and as objects', async () => {
    const host = await labForTest().host('one');
    await host.nft('table inet t { set s { type ipv4_addr; elements = { 192.0.2.1 }; }; }');
    expect(await host.nftList('table', 'inet', 't')).toContain('elements = { 192.0.2.1 }');
    expect((await host.nftJson()).map((object) => Object.keys(object)[0])).toEqual(['table', 'set']);
    await expect(host.nft('table inet t { nonsense }')).rejects.toMatchObject({ code: 'command-failed' });
  });

  test('dispose removes namespaces, processes and directories, twice', async () => {
    const lab = new Lab();
    const host = await lab.host('gone');
    const started = host.spawn('sh', ['-c', 'trap "" TERM; setsid sleep 300 & echo $!; wait']);
    const orphan = Number((await started.waitForOutput(/(\d+)\n/))[1]);
    const directory = lab.directory('gone');
    await lab.dispose();
    await lab.dispose();
    expect(started.running).toBe(false);
    expect(await runCommand('ps', ['-o', 'stat=', '-p', String(orphan)], { allowFailure: true })).toMatchObject({
      stdout: expect.stringMatching(/^(Z.*\n)?$/),
    });
    expect(existsSync(directory)).toBe(false);
    expect((await runCommand('ip', ['netns', 'list'])).stdout).not.toContain(host.namespace);
    await expect(lab.host('late')).rejects.toMatchObject({ code: 'closed' });
  });

  test('a runner that is interrupted leaves nothing behind', async () => {
    const lab = labForTest();
    const outside = await lab.host('outside');
    const index = new URL('../lab/index.ts', import.meta.url).pathname;
    const script = `
      import { Lab } from '${index}';
      const lab = new Lab();
      const host = await lab.host('inner');
      host.spawn('sleep', ['300']);
      console.log('ready ' + host.namespace);
      setInterval(() => {}, 1000);`;
    const runner = outside.spawn(process.execPath, ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script]);
    const namespace = (await runner.waitForOutput(/ready (\S+)/))[1] as string;
    expect((await runCommand('ip', ['netns', 'list'])).stdout).toContain(namespace);
    runner.signal('SIGINT');
    expect(await runner.exited).toEqual({ code: null, signal: 'SIGINT' });
    expect((await runCommand('ip', ['netns', 'list'])).stdout).not.toContain(namespace);
  });
});
