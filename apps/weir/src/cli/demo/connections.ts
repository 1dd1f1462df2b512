import { createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import { inNetworkNamespace, openTcp, openTcpListener } from '@weir/sys';
import { ip } from '@weir/wire/inet';

export type Outcome = 'open' | 'closed';

/**
 * A real TCP connection from inside a namespace, reset once it is there. `closed`: refused, unreachable, or nothing came back in time. Under one second
 * `timeoutMs` means that no SYN was repeated.
 */
export function connect(namespace: string, address: string, port: number, timeoutMs: number, source?: string): Promise<Outcome> {
  const family = ip(address).family;
  const fd = inNetworkNamespace<number>(namespace, () => openTcp({ family, ...(source === undefined ? {} : { source: ip(source) }) }));
  return new Promise((resolve) => {
    // Node's types do not know manualStart, which keeps it from reading before the socket is connected.
    const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true };
    const socket = new Socket(options);
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (outcome === 'open') socket.resetAndDestroy();
      else socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('closed'), timeoutMs);
    socket.once('error', () => end('closed'));
    socket.connect({ host: address, port }, () => end('open'));
  });
}

/** A connection that stays; `echo` says whether it still carries data. */
export interface Held {
  echo(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/** Undefined when it cannot be opened in time. */
export function hold(namespace: string, address: string, port: number, timeoutMs: number): Promise<Held | undefined> {
  const fd = inNetworkNamespace<number>(namespace, () => openTcp({ family: ip(address).family }));
  return new Promise((resolve) => {
    const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true };
    const socket = new Socket(options);
    const fail = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(fail, timeoutMs);
    socket.once('error', fail);
    socket.connect({ host: address, port }, () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.on('error', () => socket.destroy());
      resolve({
        echo: (ms) =>
          new Promise((answered) => {
            const late = setTimeout(() => answered(false), ms);
            socket.once('data', () => {
              clearTimeout(late);
              answered(true);
            });
            socket.write('?');
          }),
        close: () => socket.resetAndDestroy(),
      });
    });
  });
}

/** Servers that echo, inside a namespace. */
export class EchoServers {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  async listen(namespace: string, address: string, port: number): Promise<void> {
    const fd = inNetworkNamespace<number>(namespace, () => openTcpListener({ address: ip(address), port }));
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      socket.pipe(socket);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd }, resolve);
    });
  }

  /** Does nothing the second time. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
