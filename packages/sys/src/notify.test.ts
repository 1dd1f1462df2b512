import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { bind, check, SystemError } from './libc.ts';
import { notifyServiceManager } from './notify.ts';
import { bindSocket, closeFd, openSocket } from './socket.ts';
import { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM } from './socket-constants.ts';

const recvCall = bind<[number, Uint8Array, number, number], number>(
  'intptr_t recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)',
);

function listen(path: string): number {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  const name = Buffer.from(`\x01\x00${path}`, 'latin1');
  bindSocket(fd, name);
  return fd;
}

function receive(fd: number): string {
  const bytes = new Uint8Array(256);
  const length = check('recv', recvCall(fd, bytes, bytes.length, MSG_DONTWAIT));
  return new TextDecoder().decode(bytes.subarray(0, length));
}

describe('notifyServiceManager', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-notify-'));
  const open: number[] = [];
  afterEach(() => {
    for (const fd of open.splice(0)) closeFd(fd);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('sends to a path', () => {
    const path = join(directory, 'socket');
    open.push(listen(`${path}\0`));
    expect(notifyServiceManager('READY=1\nSTATUS=two peers', path)).toBe(true);
    expect(receive(open[0]!)).toBe('READY=1\nSTATUS=two peers');
  });

  it('sends to an abstract name', () => {
    const name = `weir-notify-${process.pid}`;
    open.push(listen(`\0${name}`));
    expect(notifyServiceManager('STOPPING=1', `@${name}`)).toBe(true);
    expect(receive(open[0]!)).toBe('STOPPING=1');
  });

  it('does nothing without a manager', () => {
    expect(notifyServiceManager('READY=1', '')).toBe(false);
  });

  it('says why it could not', () => {
    expect(() => notifyServiceManager('READY=1', '/nowhere/at/all')).toThrow(SystemError);
    expect(() => notifyServiceManager('READY=1', 'relative')).toThrow(RangeError);
    expect(() => notifyServiceManager('READY=1', `/${'x'.repeat(200)}`)).toThrow(RangeError);
  });
});
