import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { FlowsAnswer } from '../../apps/weir/src/api/index.ts';
import { type Host, startBird, waitFor } from '../lab/index.ts';
import { PeerDaemon } from '../lab/peers/daemon.ts';
import { labForTest } from '../lab/vitest.ts';
import { Weir } from './weir.ts';

const VICTIM = '203.0.113.7';
const SECONDS = 3.5;
/** In which the bucket is emptied: what it holds at first is no part of the rate. */
const WARM_UP = 1.5;
const PAYLOAD = 400;
const OCTETS = PAYLOAD + 28;

const CONFIG = `bgp:
  as: 64512
  router_id: 203.0.113.1
  peers: [{ name: controller, address: ${VICTIM}, as: 64513, families: [ipv4 flow], flow_validation: off }]
flowspec:
  guards: [{ peers: [controller], actions: [discard, rate] }]
`;

/** Sends datagrams, each with the time at which it is sent, at a pace, by its own clock; prints those times (nanoseconds). */
const SEND = `import json, socket, sys, time
pairs, pps, seconds = json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
ways = []
for source, destination in pairs:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', source)); s.connect(('${VICTIM}', destination)); ways.append(s)
start = time.monotonic_ns(); end = start + int(seconds * 1e9); sent = []
while True:
    now = time.monotonic_ns()
    if now >= end: break
    if len(sent) * 1e9 > (now - start) * pps: time.sleep(0.001); continue
    for s in ways:
        now = time.monotonic_ns()
        try: s.send(now.to_bytes(8, 'big') + bytes(${PAYLOAD - 8})); sent.append(now)
        except OSError: pass
print(json.dumps(sent))`;

/** Takes datagrams on these ports until none has come for a second; prints what they carry. */
const TAKE = `import json, selectors, socket, sys
ways = selectors.DefaultSelector(); came = []
for port in json.loads(sys.argv[1]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22); s.bind(('', port)); ways.register(s, selectors.EVENT_READ)
print('ready', flush=True)
while True:
    ready = ways.select(None if not came else 1)
    if not ready: break
    for key, _ in ready: came.append(int.from_bytes(key.fileobj.recv(2048)[:8], 'big'))
print(json.dumps(came), flush=True)`;

interface Case {
  readonly name: string;
  readonly rule: string;
  readonly community: string;
  readonly rate: number;
  /** Of the limit, in units of the rate. */
  readonly burst: number;
  /** What one datagram counts. */
  readonly unit: number;
  /** Source and destination ports of datagrams, in turn. */
  readonly ports: readonly (readonly [number, number])[];
}

const float = (rate: number): string => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, rate);
  return `0x${view.getUint32(0).toString(16)}`;
};

const CASES: readonly Case[] = [
  {
    name: 'octets',
    rule: `flow4 { dst ${VICTIM}/32; proto 17; dport 9; }`,
    community: `(generic, 0x80060000, ${float(100_000)})`,
    rate: 100_000,
    burst: 15_000,
    unit: OCTETS,
    ports: [[4000, 9]],
  },
  {
    name: 'packets, by a rule that more than one test may lead to',
    rule: `flow4 { dst ${VICTIM}/32; port 7; }`,
    community: `(generic, 0x800c0000, ${float(200)})`,
    rate: 200,
    burst: 20,
    unit: 1,
    ports: [
      [4001, 7],
      [7, 4001],
    ],
  },
];

test('flows of ten times their rates pass at their rates, in octets and in packets', async () => {
  const lab = labForTest();
  const [attacker, border, victim] = [await lab.host('attacker'), await lab.host('border', { forwarding: true }), await lab.host('victim')];
  await lab.link({ host: attacker, addresses: ['198.51.100.1/24'] }, { host: border, addresses: ['198.51.100.2/24'] });
  await lab.link({ host: border, addresses: ['203.0.113.1/24'] }, { host: victim, addresses: [`${VICTIM}/24`] });
  await attacker.route('203.0.113.0/24', { via: '198.51.100.2' });
  await victim.route('198.51.100.0/24', { via: '203.0.113.1' });
  const bird = await startBird(lab, victim, {
    as: 64513,
    routerId: VICTIM,
    neighbors: [{ address: '203.0.113.1', as: 64512, families: ['ipv4 flow'] }],
  });
  const routes = CASES.map(({ rule, community }) => `route ${rule} { bgp_ext_community.add(${community}); };\n`);
  if (bird instanceof PeerDaemon) writeFileSync(`${bird.directory}/flow4.routes`, routes.join(''));
  await bird.command('configure');
  const weir = new Weir(lab, border, CONFIG);
  await weir.start();
  const flows = async (): Promise<FlowsAnswer['flows']> => (await weir.ask((client) => client.call('flows', {})))?.flows ?? [];
  await waitFor('the rules in force', async () => (await flows()).filter(({ state }) => state === 'enforced').length === CASES.length, {
    timeoutMs: 60_000,
  });
  await waitFor('the rules in the kernel', async () => (await border.nftList()).match(/limit rate over/g)?.length === CASES.length);
  const shares = await Promise.all(CASES.map(async (one) => [one.name, await shareOfRate(attacker, victim, one)] as const));
  for (const [name, share] of shares) {
    expect(share, name).toBeGreaterThan(0.9);
    expect(share, name).toBeLessThan(1.1);
  }
});

/** What passes of ten times a rate, as a share of it, by the clock of the sender. */
async function shareOfRate(from: Host, to: Host, { rate, burst, unit, ports, name }: Case): Promise<number> {
  const { sent, came } = await traffic(from, to, ports, Math.ceil((10 * rate) / unit));
  const first = sent[0]! + WARM_UP * 1e9;
  const window = sent.filter((at) => at >= first);
  const elapsed = (window.at(-1)! - window[0]!) / 1e9;
  // While the sender was kept from sending for longer than it takes to fill the bucket, nothing came that could have passed.
  const idle = window.slice(1).reduce((sum, at, i) => sum + Math.max(0, (at - window[i]!) / 1e9 - burst / rate), 0);
  expect(window.length * unit, `${name}: what is sent`).toBeGreaterThan(3 * rate * elapsed);
  return (came.filter((at) => at >= window[0]!).length * unit) / (elapsed - idle) / rate;
}

async function traffic(
  from: Host,
  to: Host,
  ports: Case['ports'],
  perSecond: number,
): Promise<{ readonly sent: readonly number[]; readonly came: readonly number[] }> {
  const taking = to.spawn('python3', ['-c', TAKE, JSON.stringify(ports.map(([, destination]) => destination))], { name: 'receiver' });
  await taking.waitForOutput(/ready/);
  const { stdout } = await from.exec('python3', ['-c', SEND, JSON.stringify(ports), String(perSecond), String(SECONDS)]);
  const [, came = ''] = await taking.waitForOutput(/^(\[.*\])$/m, 60_000);
  return { sent: JSON.parse(stdout) as number[], came: JSON.parse(came) as number[] };
}
