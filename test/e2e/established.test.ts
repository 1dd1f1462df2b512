import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type HeldConnection, type Host, type LabProcess, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at, community } from './addresses.ts';
import { buildGate, type Gate, ownedTableConfig, userTableConfig } from './gate.ts';
import { example } from './routers.ts';
import { Weir } from './weir.ts';

const PORT = 443;
const hosts = {
  service: [`${at.service.v4}/32`, `${at.service.v6}/128`],
  internet: [`${at.internet.v4}/32`, `${at.internet.v6}/128`],
} as const;

async function start(config: string): Promise<Gate & { readonly weir: Weir }> {
  const lab = labForTest();
  const gate = await buildGate(lab);
  if (config.includes('table: core_fw')) {
    // With the two rules of the example that such a set needs, and one more port.
    const text = readFileSync(example('nftables/core_fw.nft'), 'utf8').replaceAll('{ 80, 443 }', '{ 80, 443, 8080 }');
    await gate.core.nft(config.includes('on_withdraw: cut') ? text.replaceAll('# iifname', 'iifname') : text);
  }
  gate.peer.start();
  const weir = new Weir(lab, gate.core, config);
  await weir.start();
  await weir.established(1);
  return { ...gate, weir };
}

async function becomes(from: Host, address: string, port: number, outcome: 'connected' | 'timeout'): Promise<void> {
  await waitFor(`${address} port ${port}: ${outcome}`, async () => (await from.tcpConnect(address, port, 300)) === outcome, {
    timeoutMs: 60_000,
  });
}

async function hold(from: Host, address: string): Promise<HeldConnection> {
  const held = await from.tcpHold(address, PORT);
  if (!held) throw new Error(`no connection to ${address}`);
  expect(await held.echo('first')).toBe('echo');
  return held;
}

/** A service that talks without being asked, and one that reads it: lines of the number of octets so far. */
async function download({ cluster, internet }: Gate, address: string, port: number): Promise<LabProcess> {
  const serve = `require('node:net').createServer((s) => { s.on('error', () => s.destroy()); const t = setInterval(() => s.write('0123456789'), 10); s.on('close', () => clearInterval(t)); }).listen(${port}, '${address}', () => console.log('ready'))`;
  const read = `let n = 0; const s = require('node:net').connect(${port}, '${address}'); s.on('error', () => undefined); s.on('data', (d) => { n += d.length; }); setInterval(() => console.log(n), 50)`;
  await cluster.spawn(process.execPath, ['-e', serve], { name: 'talker' }).waitForOutput(/ready/);
  return internet.spawn(process.execPath, ['-e', read], { name: 'reader' });
}

function octets(reader: LabProcess): number {
  return Number(reader.stdout.trim().split('\n').at(-1));
}

const withCut = (config: string): string => config.replace('on_withdraw: keep', 'on_withdraw: cut');

describe('established connections of a member that is withdrawn', () => {
  test.each([
    { name: 'keep, a table of its own', config: ownedTableConfig, want: 'echo' },
    { name: "keep, the user's table", config: userTableConfig, want: 'echo' },
    { name: 'cut, a table of its own', config: withCut(ownedTableConfig), want: 'timeout' },
    { name: "cut, the user's table", config: withCut(userTableConfig), want: 'timeout' },
  ])('$name', async ({ config, want }) => {
    const gate = await start(config);
    gate.peer.announce(hosts.service, [community]);
    for (const address of [at.service.v4, at.service.v6]) {
      await becomes(gate.internet, address, PORT, 'connected');
      const held = await hold(gate.internet, address);
      gate.peer.withdraw(hosts.service);
      await becomes(gate.internet, address, PORT, 'timeout');
      expect(await held.echo('second', 1000)).toBe(want);
      await held.close();
      gate.peer.announce(hosts.service, [community]);
    }
  });

  test.each([
    { address: at.service.v4, config: withCut(ownedTableConfig) },
    { address: at.service.v6, config: withCut(ownedTableConfig) },
    { address: at.service.v4, config: withCut(userTableConfig) },
    { address: at.service.v6, config: withCut(userTableConfig) },
  ])('cut ends a download from $address, in which the service talks first', async ({ address, config }) => {
    const gate = await start(config.replace('ports: [80, 443]', 'ports: [80, 443, 8080]'));
    gate.peer.announce(hosts.service, [community]);
    await becomes(gate.internet, address, PORT, 'connected');
    const reader = await download(gate, address, 8080);
    await waitFor('data', () => octets(reader) > 200);
    gate.peer.withdraw(hosts.service);
    await becomes(gate.internet, address, PORT, 'timeout');
    // What was under way arrives; then nothing does.
    await sleep(500);
    const before = octets(reader);
    await sleep(1500);
    expect(octets(reader)).toBe(before);
    gate.peer.announce(hosts.service, [community]);
    await becomes(gate.internet, address, PORT, 'connected');
  });
});
