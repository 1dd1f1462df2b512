import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PeerSummary } from '../../apps/weir/src/api/index.ts';
import { frame, keepalive, open, RawBgp } from '../e2e/raw-bgp.ts';
import { SpeakerPeer } from '../e2e/speaker-peer.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, Lab, memoryMiB, waitFor } from '../lab/index.ts';

const weirAddress = { v4: '198.51.100.129', v6: '2001:db8:e::1' };
const goodAddress = '198.51.100.131';
/** Neighbours that misbehave, each test with one of its own: a neighbour that goes wrong again and again has to wait. */
const badAddresses = Array.from({ length: 40 }, (_, i) => `198.51.100.${140 + i}`);
let taken = 0;

const config = `bgp:
  as: 64512
  router_id: 192.0.2.1
  listen: [${weirAddress.v4}, "${weirAddress.v6}"]
  peers:
    - { name: good, address: ${goodAddress}, as: 64513 }
${badAddresses.map((address, i) => `    - { name: bad${i}, address: ${address}, as: 64516, passive: true }`).join('\n')}
sets:
  web:
    kind: allow
    communities: ["64512:80"]
    guard: { peers: [good, ${badAddresses.map((_, i) => `bad${i}`).join(', ')}], prefixes: [203.0.113.0/24] }
    on_session_loss: withdraw
    nft: { table: fw, ipv4: web4 }
`;

/** Megabytes of resident memory that the daemon may gain by all of this together. */
const growth = 100;

describe('hostile neighbours, strangers and clients', () => {
  const lab = new Lab();
  let core: Host;
  let outside: Host;
  let weir: Weir;
  let good: SpeakerPeer;
  let before: { readonly since: string; readonly pid: number; readonly rss: number };

  const goodPeer = async (): Promise<PeerSummary> => {
    const answer = await weir.ask((client) => client.call('peers', {}));
    const found = answer?.peers.find((peer) => peer.name === 'good');
    if (found === undefined) throw new Error(weir.report());
    return found;
  };
  const rss = (): number => memoryMiB(weir.pid, 'VmRSS');
  /** A connection from a neighbour that no other test has used. */
  const bad = (): { readonly connect: () => RawBgp; readonly name: string } => {
    const i = taken++;
    const source = badAddresses[i]!;
    return { name: `bad${i}`, connect: () => RawBgp.connect({ namespace: outside.path, source, address: weirAddress.v4, port: 179 }) };
  };

  beforeAll(async () => {
    core = await lab.host('core');
    outside = await lab.host('outside');
    await lab.link(
      { host: core, name: 'bgp0', addresses: [`${weirAddress.v4}/24`, `${weirAddress.v6}/64`] },
      {
        host: outside,
        name: 'bgp0',
        addresses: [goodAddress, ...badAddresses].map((address) => `${address}/24`).concat('2001:db8:e::2/64'),
      },
    );
    // Strangers have all addresses of a network.
    await outside.ip('route', 'add', 'local', '2001:db8:bad::/48', 'dev', 'lo');
    await outside.ip('route', 'add', 'local', '203.0.113.0/24', 'dev', 'lo');
    await core.route('2001:db8:bad::/48', { via: '2001:db8:e::2' });
    await core.route('203.0.113.0/24', { via: goodAddress });
    await core.nft('table inet fw { set web4 { type ipv4_addr; flags interval; }; }');
    good = new SpeakerPeer({ namespace: outside.path, address: goodAddress, as: 64513, weir: { address: weirAddress.v4, as: 64512 } });
    good.announce(['203.0.113.80/32'], ['64512:80']);
    good.start();
    weir = new Weir(lab, core, config);
    await weir.start();
    await good.up();
    await waitFor('the member', async () => (await core.nftList('set', 'inet', 'fw', 'web4')).includes('203.0.113.80'));
    before = { since: (await goodPeer()).since, pid: weir.pid, rss: rss() };
  });

  afterAll(async () => {
    await good.stop();
    await lab.dispose();
  });

  afterEach(async () => {
    if (!weir.running) throw new Error(weir.report());
    const peer = await goodPeer();
    expect({ state: peer.state, since: peer.since, pid: weir.pid }).toEqual({ state: 'Established', since: before.since, pid: before.pid });
    expect(await core.nftList('set', 'inet', 'fw', 'web4')).toContain('203.0.113.80');
    expect(rss()).toBeLessThan(before.rss + growth);
  });

  const marker = 'ff'.repeat(16);
  const insane: readonly {
    readonly name: string;
    readonly say: readonly (Uint8Array | string)[];
    readonly want: readonly [number, number];
  }[] = [
    { name: 'random bytes', say: [Uint8Array.from({ length: 4096 }, (_, i) => (i * 151 + 13) & 0xff)], want: [1, 1] },
    { name: 'HTTP', say: [Buffer.from('GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n')], want: [1, 1] },
    { name: 'a marker with one wrong bit', say: [`${'ff'.repeat(15)}fe001304`], want: [1, 1] },
    { name: 'length 0', say: [`${marker}000004`], want: [1, 2] },
    { name: 'length 18', say: [`${marker}001204`], want: [1, 2] },
    { name: 'length 65535 before it was agreed on', say: [`${marker}ffff02`], want: [1, 2] },
    { name: 'type 0', say: [`${marker}001300`], want: [1, 3] },
    { name: 'type 77', say: [frame(77, new Uint8Array(4))], want: [1, 3] },
    { name: 'a KEEPALIVE of 20 octets', say: [frame(4, new Uint8Array(1))], want: [1, 2] },
    { name: 'an OPEN of 28 octets', say: [frame(1, new Uint8Array(9))], want: [1, 2] },
    { name: 'version 3', say: [open({ version: 3 })], want: [2, 1] },
    { name: 'AS 64999', say: [open({ myAs: 64999 })], want: [2, 2] },
    { name: 'identifier 0.0.0.0', say: [open({ routerId: { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 } })], want: [2, 3] },
    { name: 'hold time 1', say: [open({ holdTime: 1 })], want: [2, 6] },
    { name: 'hold time 2', say: [open({ holdTime: 2 })], want: [2, 6] },
    { name: 'KEEPALIVE before OPEN', say: [keepalive()], want: [5, 1] },
    { name: 'UPDATE before OPEN', say: [frame(2, new Uint8Array(4))], want: [5, 1] },
    { name: 'UPDATE after OPEN, before KEEPALIVE', say: [open(), frame(2, new Uint8Array(4))], want: [5, 2] },
    { name: 'OPEN twice', say: [open(), open()], want: [5, 2] },
    {
      name: 'an UPDATE whose attributes are longer than it is',
      say: [open(), keepalive(), frame(2, Uint8Array.of(0, 0, 0xff, 0xff))],
      want: [3, 1],
    },
  ];

  test.each(insane)('$name', async ({ say, want }) => {
    const raw = bad().connect();
    for (const bytes of say) raw.write(bytes);
    const { code, subcode } = await raw.message('notification');
    expect([code, subcode]).toEqual(want);
    await raw.end();
  });

  test('a hold time of 3 and then silence', async () => {
    const raw = bad().connect();
    raw.write(open({ holdTime: 3 }));
    raw.write(keepalive());
    await raw.message('keepalive');
    const { code } = await raw.message('notification', 15_000);
    expect(code).toBe(4);
    await raw.end();
  });

  test('one octet every 20 ms is slow, and well-formed', async () => {
    const { connect, name } = bad();
    const raw = connect();
    for (const octet of [...open(), ...keepalive()]) {
      raw.write(Uint8Array.of(octet));
      await sleep(20);
    }
    await raw.message('keepalive');
    await waitFor('the session', async () => {
      const answer = await weir.ask((client) => client.call('peers', {}));
      return answer?.peers.find((peer) => peer.name === name)?.state === 'Established';
    });
    expect(raw.messages.map((message) => message.kind)).not.toContain('notification');
    raw.reset();
  });

  test('a message that never ends is not kept in more memory than a message', async () => {
    const raw = bad().connect();
    raw.write(open());
    raw.write(keepalive());
    await raw.message('keepalive');
    // A header that says 4,096 octets, and fewer than that.
    raw.write(frame(2, new Uint8Array(2000), 4096));
    await sleep(500);
    expect(raw.ended).toBeUndefined();
    raw.reset();
  });

  test('a hundred connections of one neighbour that say nothing', async () => {
    const { connect } = bad();
    const all = Array.from({ length: 100 }, connect);
    await waitFor('most of them to be closed', () => all.filter((raw) => raw.ended !== undefined).length >= 98);
    for (const raw of all) raw.reset();
  });

  test('two connections of one neighbour: one is left', async () => {
    const { connect } = bad();
    const both = [connect(), connect()];
    for (const raw of both) raw.write(open());
    for (const raw of both) raw.write(keepalive());
    await waitFor('one of them to end', () => both.filter((raw) => raw.ended !== undefined).length === 1);
    await sleep(300);
    expect(both.filter((raw) => raw.ended === undefined)).toHaveLength(1);
    for (const raw of both) raw.reset();
  });

  test('a session that comes up and is reset, again and again', async () => {
    const { connect } = bad();
    for (let i = 0; i < 50; i++) {
      const raw = connect();
      raw.write(open());
      raw.write(keepalive());
      await sleep(5);
      raw.reset();
    }
  });

  test('10,000 connections from addresses that are nobody', { timeout: 120_000 }, async () => {
    let made = 0;
    let told = 0;
    const stranger = async (i: number): Promise<void> => {
      const v6 = i % 2 === 0;
      const raw = RawBgp.connect({
        namespace: outside.path,
        source: v6 ? `2001:db8:bad::${(i + 1).toString(16)}` : `203.0.113.${(i % 254) + 1}`,
        address: v6 ? weirAddress.v6 : weirAddress.v4,
        port: 179,
      });
      raw.write(open());
      await raw.end(30_000);
      made++;
      told += raw.messages.length;
    };
    let answered = 0;
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < 10_000) await stranger(next++);
    };
    const watcher = (async () => {
      while (made < 10_000) {
        await weir.status();
        answered++;
        await sleep(50);
      }
    })();
    await Promise.all([...Array.from({ length: 200 }, worker), watcher]);
    // Nothing is said to a stranger, and the daemon answers all the while.
    expect({ made, told }).toEqual({ made: 10_000, told: 0 });
    expect(answered).toBeGreaterThan(2);
  });

  describe('the control socket', () => {
    const talk = (bytes: readonly (string | Uint8Array)[]): Promise<string> =>
      new Promise((resolve) => {
        const socket = new Socket();
        let text = '';
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
        });
        // A connection that is closed on us while we write is an answer too.
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(text));
        socket.connect(weir.socket, () => {
          for (const one of bytes) socket.write(one);
          socket.end();
        });
        setTimeout(() => socket.destroy(), 2_000);
      });

    test.each([
      { name: 'random bytes', say: [Uint8Array.from({ length: 60_000 }, (_, i) => (i * 151 + 13) & 0xff), '\n'], want: /"bad-request"|^$/ },
      { name: 'a line without an end', say: [Buffer.alloc(8_000_000, 0x61)], want: /"too-large"|^$/ },
      { name: 'JSON of another kind', say: ['[1,2,3]\n"x"\nnull\n17\n'], want: /"bad-request"/ },
      {
        name: 'a method that is not there',
        say: ['{"id":1,"method":"__proto__"}\n{"id":2,"method":"constructor"}\n'],
        want: /"unknown-method"/,
      },
      { name: 'deep nesting', say: [`${'['.repeat(30_000)}\n`], want: /"bad-request"/ },
      { name: 'nothing', say: [], want: /^$/ },
    ])('$name', async ({ say, want }) => {
      expect(await talk(say)).toMatch(want);
      expect((await weir.status()).bgp.peers).toBe(badAddresses.length + 1);
    });

    test('200 clients at once', async () => {
      const sockets = Array.from({ length: 200 }, () => {
        const socket = new Socket();
        socket.on('error', () => undefined);
        socket.connect(weir.socket);
        return socket;
      });
      await sleep(500);
      for (const socket of sockets) socket.destroy();
      await waitFor('the socket to answer', async () => (await weir.ask((client) => client.call('status', {}))) !== undefined);
    });
  });
});
