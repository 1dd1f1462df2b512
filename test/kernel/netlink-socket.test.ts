import { readlinkSync } from 'node:fs';
import { inNetworkNamespace, NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket, SystemError } from '@weir/sys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

/** RTNLGRP_LINK. */
const LINKS = 1;
const GETLINK_DUMP = Uint8Array.from([
  ...[32, 0, 0, 0, 18, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_GETLINK, REQUEST | DUMP
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // ifinfomsg
]);

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('sock');
});

afterAll(async () => {
  await lab?.dispose();
});

function open(options: Parameters<typeof NetlinkSocket.open>[1] = {}): NetlinkSocket {
  return NetlinkSocket.open(NETLINK_ROUTE, { netns: host.path, ...options });
}

describe('a netlink socket', () => {
  it('belongs to the namespace it was opened in; the thread comes back', async () => {
    const home = readlinkSync('/proc/thread-self/ns/net');
    const socket = open({ groups: [LINKS] });
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
    await host.ip('link', 'set', 'lo', 'alias', 'first');
    expect(socket.wait(2_000)).toBe(true);
    expect(socket.receive(new Uint8Array(65536)).kind).toBe('data');
    socket.close();
  });

  it('sends, receives, and says when nothing waits', () => {
    const socket = open();
    const buffer = new Uint8Array(65536);
    expect(socket.receive(buffer)).toEqual({ kind: 'empty' });
    socket.send(GETLINK_DUMP);
    const got = socket.receive(buffer);
    expect(got.kind).toBe('data');
    const view = new DataView(buffer.buffer);
    expect(view.getUint16(4, true)).toBe(16);
    expect(view.getUint32(12, true)).toBe(socket.portId);
    socket.close();
  });

  it('says how much a datagram that was cut short needed', () => {
    const socket = open();
    socket.send(GETLINK_DUMP);
    const got = socket.receive(new Uint8Array(64));
    expect(got).toMatchObject({ kind: 'truncated', length: 64 });
    if (got.kind === 'truncated') expect(got.needed).toBeGreaterThan(64);
    socket.close();
  });

  it('joins and leaves groups', async () => {
    const socket = open();
    socket.join(LINKS);
    await host.ip('link', 'set', 'lo', 'alias', 'second');
    expect(socket.wait(2_000)).toBe(true);
    const buffer = new Uint8Array(65536);
    while (socket.receive(buffer).kind !== 'empty');
    socket.leave(LINKS);
    await host.ip('link', 'set', 'lo', 'alias', 'third');
    expect(socket.wait(50)).toBe(false);
    socket.close();
  });

  it('tells an overrun once and goes on', async () => {
    const socket = open({ groups: [LINKS], receiveBuffer: 2048 });
    for (let i = 0; i < 20; i++) await host.ip('link', 'set', 'lo', 'alias', `name ${i}`);
    const buffer = new Uint8Array(65536);
    const kinds: string[] = [];
    for (let i = 0; i < 100; i++) {
      const got = socket.receive(buffer);
      kinds.push(got.kind);
      if (got.kind === 'empty') break;
    }
    expect(kinds.filter((kind) => kind === 'overrun')).toHaveLength(1);
    expect(kinds.at(-1)).toBe('empty');
    await host.ip('link', 'set', 'lo', 'alias', 'after');
    expect(socket.receive(buffer).kind).toBe('data');
    socket.close();
  });

  it('sleeps without blocking the event loop, wakes for data, for its time, and for close', async () => {
    const socket = open({ groups: [LINKS] });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    expect(await socket.waitReadable(60)).toBe(false);
    expect(ticks).toBeGreaterThan(2);
    const woken = socket.waitReadable(20_000);
    await host.ip('link', 'set', 'lo', 'alias', 'wake');
    expect(await woken).toBe(true);
    socket.receive(new Uint8Array(65536));
    const sleepers = [socket.waitReadable(20_000), socket.waitReadable(20_000)];
    setTimeout(() => socket.close(), 20);
    expect(await Promise.all(sleepers)).toEqual([false, false]);
    clearInterval(timer);
    socket.close();
    expect(() => socket.receive(new Uint8Array(16))).toThrow(SystemError);
    expect(socket.closed).toBe(true);
  });

  it('refuses a datagram larger than its send buffer, and takes it when that has grown', () => {
    const socket = NetlinkSocket.open(NETLINK_NETFILTER, { netns: host.path, sendBuffer: 100_000 });
    const noop = new Uint8Array(1_000_000);
    new DataView(noop.buffer).setUint32(0, noop.length, true);
    noop[4] = 1;
    expect(() => socket.send(noop)).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }) as Error);
    expect(socket.setSendBuffer(2_000_000)).toBeGreaterThan(1_000_000);
    socket.send(noop);
    socket.close();
  });

  it('names what cannot be opened', () => {
    expect(() => NetlinkSocket.open(250)).toThrow(expect.objectContaining({ call: 'socket', code: 'EPROTONOSUPPORT' }) as Error);
    expect(() => NetlinkSocket.open(NETLINK_ROUTE, { netns: 'weir-is-not-there' })).toThrow(/ENOENT/);
  });
});

describe('running inside a namespace', () => {
  it('comes back when the action throws', () => {
    const home = readlinkSync('/proc/thread-self/ns/net');
    const inside = inNetworkNamespace(host.path, () => readlinkSync('/proc/thread-self/ns/net'));
    expect(inside).not.toBe(home);
    expect(() =>
      inNetworkNamespace(host.path, () => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
  });
});
