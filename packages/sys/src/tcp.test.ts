import net from 'node:net';
import { parseIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { SystemError } from './libc.ts';
import { closeFd } from './socket.ts';
import { openTcp, openTcpListener, socketFd } from './tcp.ts';
import { getMinTtl, getTos, getTtl, setMinTtl, setTtl } from './tcp-options.ts';

const rows = [
  { name: 'IPv4', listen: '127.0.0.1', source: '127.0.0.2', family: 4 },
  { name: 'IPv6', listen: '::1', source: '::1', family: 6 },
] as const;

describe('TCP sockets', () => {
  for (const { name, listen, source, family } of rows) {
    it(`${name}: Node takes over descriptors with their options`, async () => {
      const server = net.createServer((socket) => {
        const fd = socketFd(socket)!;
        const before = [getTtl(fd, family), getTos(fd, family)];
        setTtl(fd, family, 64);
        setMinTtl(fd, family, 1);
        socket.end(JSON.stringify({ from: socket.remoteAddress, before, after: [getTtl(fd, family), getMinTtl(fd, family)] }));
      });
      const listener = openTcpListener({ address: parseIp(listen)!, port: 0, ttl: 255, tos: 0xc0 });
      await new Promise<void>((done) => server.listen({ fd: listener }, done));
      const fd = openTcp({ family, source: parseIp(source)!, ttl: 255, minTtl: 1, tos: 0xc0 });
      expect([getTtl(fd, family), getMinTtl(fd, family), getTos(fd, family)]).toEqual([255, 1, 0xc0]);
      const client = new net.Socket({ fd, manualStart: true } as net.SocketConstructorOpts);
      client.connect({ host: listen, port: (server.address() as net.AddressInfo).port });
      let text = '';
      for await (const chunk of client) text += String(chunk);
      expect(JSON.parse(text)).toEqual({ from: source, before: [255, 0xc0], after: [64, 1] });
      expect(socketFd(client)).toBeUndefined();
      await new Promise((done) => server.close(done));
    });
  }

  const failures = [
    { name: 'an address that is not here', run: () => openTcp({ family: 4, source: parseIp('192.0.2.1')! }), want: 'EADDRNOTAVAIL' },
    { name: 'a device that is not here', run: () => openTcp({ family: 4, device: 'no-such-device' }), want: 'ENODEV' },
    { name: 'a time to live out of range', run: () => openTcp({ family: 4, ttl: 256 }), want: 'EINVAL' },
    { name: 'a link-local address without its interface', run: () => openTcp({ family: 6, source: parseIp('fe80::1')! }), want: 'EINVAL' },
    { name: 'a descriptor that is not open', run: () => closeFd(1 << 20), want: 'EBADF' },
  ];
  for (const { name, run, want } of failures) {
    it(`says why: ${name}`, () => {
      let caught: unknown;
      try {
        run();
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(SystemError);
      expect((caught as SystemError).code).toBe(want);
    });
  }

  it('gives an address that is not here when asked to', () => {
    closeFd(openTcp({ family: 4, source: parseIp('192.0.2.1')!, freebind: true }));
  });

  it('refuses a port that is taken', () => {
    const address = parseIp('127.0.0.1')!;
    const server = net.createServer();
    return new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as net.AddressInfo;
        expect(() => openTcpListener({ address, port })).toThrow(/EADDRINUSE \(127\.0\.0\.1 port/);
        server.close(() => done());
      });
    });
  });
});
