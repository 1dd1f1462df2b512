import { copyFileSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Host, runCommand, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { Weir } from './weir.ts';

/** Documentation says that it drops and lets through what is tried here. */
const EXAMPLE = new URL('../../examples/policy/payload.yaml', import.meta.url).pathname;
const [SERVER, CALLER, FLOODER] = ['198.51.100.25', '203.0.113.200', '203.0.113.66'];
const TOKEN = '#8a2f51c0';

interface Setup {
  readonly weir: Weir;
  readonly server: Host;
  readonly outside: Host;
  /** What is pinned for rules. */
  readonly pinned: () => Promise<readonly string[]>;
}

/** The server is behind the example; outside are who calls and who floods. */
async function start(): Promise<Setup> {
  const lab = labForTest();
  const [server, outside] = [await lab.host('server'), await lab.host('outside')];
  await lab.link(
    { host: server, addresses: [`${SERVER}/24`] },
    { host: outside, addresses: [`198.51.100.1/24`, `${CALLER}/32`, `${FLOODER}/32`] },
  );
  await server.route('203.0.113.0/24', { via: '198.51.100.1' });
  const directory = lab.directory('example');
  copyFileSync(EXAMPLE, `${directory}/payload.yaml`);
  const pins = `${directory}/bpf`;
  mkdirSync(pins);
  await runCommand('mount', ['-t', 'bpf', 'bpf', pins]);
  lab.onDispose(async () => void (await runCommand('umount', [pins])));
  const weir = new Weir(
    lab,
    server,
    `bgp: { as: 64512, router_id: 192.0.2.1 }\nebpf: { pin_directory: ${pins}/weir }\npolicy: ${directory}/payload.yaml\n`,
  );
  await weir.start();
  const pinned = async (): Promise<readonly string[]> =>
    (await runCommand('find', [`${pins}/weir/matches`, '-type', 'f'], { allowFailure: true })).stdout
      .split('\n')
      .filter((line) => line !== '');
  await waitFor('the programs of two rules', async () => (await pinned()).length === 2);
  return { weir, server, outside, pinned };
}

/** Packets by the name of the rule. */
async function counted(weir: Weir, rule: string): Promise<number> {
  return (await weir.status()).kernel.rules.filter((one) => one.rule === rule).reduce((sum, { packets }) => sum + packets, 0);
}

test('datagrams that do not end in the token are dropped', async () => {
  const { weir, server, outside, pinned } = await start();
  const service = await server.udpSocket(SERVER, 5000);
  const client = await outside.udpSocket(CALLER, 0);
  const other = await outside.udpSocket(FLOODER, 0);
  const texts = ['load 7', `load 8 ${TOKEN}.`, `${TOKEN} load 9`, '', TOKEN.slice(0, -1), 'x'.repeat(1400)];
  for (const text of texts) await other.send(SERVER, 5000, text);
  await client.send(SERVER, 5000, `load 1 ${TOKEN}`);
  await client.send(SERVER, 5000, `${'y'.repeat(3000)}${TOKEN}`);
  const heard: string[] = [];
  for (let one = await service.receive(500); one; one = await service.receive(500)) heard.push(one.text);
  expect(heard.map((text) => text.length)).toEqual([`load 1 ${TOKEN}`.length, 3000 + TOKEN.length]);
  // A restart finds the rules with their programs, and changes nothing.
  const before = await server.nftList('table', 'inet', 'weir');
  await weir.kill();
  await client.send(SERVER, 5000, `still ${TOKEN}`);
  await other.send(SERVER, 5000, 'still not');
  expect((await service.receive(500))?.text).toBe(`still ${TOKEN}`);
  expect(await service.receive(300)).toBeUndefined();
  const pins = await pinned();
  await weir.start();
  await weir.status();
  const handles = (text: string): string => text.replaceAll(/packets \d+ bytes \d+/g, '');
  expect(handles(await server.nftList('table', 'inet', 'weir'))).toBe(handles(before));
  expect(await pinned()).toEqual(pins);
});

test('calls of a real client pass beside a flood of what is no SIP', async () => {
  const { weir, server, outside } = await start();
  const agent = server.spawn('sipp', ['-sn', 'uas', '-i', SERVER, '-p', '5060', '-nostdin'], { name: 'sipp uas' });
  await sleep(500);
  expect(agent.running).toBe(true);
  const sockets = await Promise.all(Array.from({ length: 8 }, () => outside.udpSocket(FLOODER, 0)));
  const malformed = [
    'INVITE bob SIP/2.0\r\n\r\n',
    'garbage',
    '\x00\x00\x00\x00',
    'INVITE sip:bob@example.com\r\n\r\n',
    'SIP/2.0 99 no\r\n\r\n',
  ];
  let flooding = true;
  let sent = 0;
  const flood = async (): Promise<void> => {
    // As many as the machine has time for, while the calls go on.
    for (let i = 0; flooding && i < 100_000; i++) {
      await Promise.all(sockets.map((socket, k) => socket.send(SERVER, 5060, malformed[(i + k) % malformed.length] ?? '')));
      sent += sockets.length;
    }
  };
  const flooded = flood();
  const calls = await outside.exec(
    'sipp',
    ['-sn', 'uac', '-i', CALLER, '-p', '5061', '-m', '20', '-r', '10', '-d', '100', '-nostdin', '-timeout', '60s', `${SERVER}:5060`],
    { allowFailure: true, timeoutMs: 90_000 },
  );
  flooding = false;
  await flooded;
  expect(calls.stdout).toMatch(/Successful call\s*\|\s*\d+\s*\|\s*20/);
  expect(calls.stdout).toMatch(/Failed call\s*\|\s*\d+\s*\|\s*0/);
  expect(sent).toBeGreaterThan(100);
  await waitFor('every packet of the flood to be counted', async () => (await counted(weir, 'no-sip')) >= sent);
  // Not one of them came to the server.
  expect(await counted(weir, 'no-sip')).toBe(sent);
  expect(await counted(weir, 'sip')).toBeGreaterThanOrEqual(1);
});
