import { fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { passedDescriptors, storeDescriptor } from './descriptor-store.ts';
import { SystemError } from './libc.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from './netlink.ts';
import { NotificationListener } from './notification-listener.ts';
import { closeFd } from './socket.ts';

describe('passedDescriptors', () => {
  it.each([
    { name: 'none', env: {}, want: [] },
    { name: 'one', env: { LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'weir-table' }, want: [{ fd: 3, name: 'weir-table' }] },
    { name: 'for another process', env: { LISTEN_PID: '8', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a' }, want: [] },
    {
      name: 'without names',
      env: { LISTEN_PID: '7', LISTEN_FDS: '2' },
      want: [
        { fd: 3, name: '' },
        { fd: 4, name: '' },
      ],
    },
    {
      name: 'several',
      env: { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' },
      want: [
        { fd: 3, name: 'a' },
        { fd: 4, name: 'b' },
      ],
    },
    { name: 'not a number', env: { LISTEN_PID: '7', LISTEN_FDS: '-1' }, want: [] },
  ])('$name', ({ env, want }) => {
    expect(passedDescriptors(env, 7)).toEqual(want);
  });
});

describe('storeDescriptor', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-store-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('does nothing without a manager', () => {
    expect(storeDescriptor(0, 'x', false, '')).toBe(false);
  });

  it('gives a descriptor that is the same file, and says what to forget before', () => {
    const path = join(directory, 'socket');
    const listener = new NotificationListener(path);
    const file = openSync(join(directory, 'file'), 'w');
    expect(storeDescriptor(file, 'weir-table', true, path)).toBe(true);
    expect(listener.receive()).toEqual({ text: 'FDSTOREREMOVE=1\nFDNAME=weir-table', fd: undefined });
    const stored = listener.receive();
    expect(stored?.text).toBe('FDSTORE=1\nFDNAME=weir-table\nFDPOLL=0');
    expect(stored?.fd).not.toBe(file);
    expect(fstatSync(stored?.fd ?? -1).ino).toBe(fstatSync(file).ino);
    expect(listener.receive()).toBeUndefined();
    closeFd(stored?.fd ?? -1);
    closeFd(file);
    listener.close();
    listener.close();
  });

  it('says why it could not', () => {
    expect(() => storeDescriptor(0, 'x', false, join(directory, 'nobody'))).toThrow(SystemError);
    expect(() => storeDescriptor(0, 'x', false, 'relative')).toThrow(RangeError);
  });
});

describe('NetlinkSocket.adopt', () => {
  it('takes a socket of the family and namespace, and gives it back as it is otherwise', () => {
    const socket = NetlinkSocket.open(NETLINK_ROUTE);
    expect(NetlinkSocket.adopt(socket.descriptor, NETLINK_NETFILTER)).toBeUndefined();
    const again = NetlinkSocket.adopt(socket.descriptor, NETLINK_ROUTE);
    expect(again?.portId).toBe(socket.portId);
    expect(again?.receive(new Uint8Array(16)).kind).toBe('empty');
    socket.close();
  });

  it('takes nothing else', () => {
    const file = openSync('/dev/null', 'r');
    expect(NetlinkSocket.adopt(file, NETLINK_ROUTE)).toBeUndefined();
    expect(fstatSync(file).isCharacterDevice()).toBe(true);
    closeFd(file);
    expect(NetlinkSocket.adopt(file, NETLINK_ROUTE)).toBeUndefined();
  });
});
