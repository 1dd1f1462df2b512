import { Socket, type SocketConstructorOpts } from 'node:net';
import { decodeMessage, encodeKeepalive, encodeOpen, type Message, MessageFramer, type OpenMessage, sessionContext } from '@weir/bgp/codec';
import { inNetworkNamespace, openTcp } from '@weir/sys';
import { parseHex, Writer } from '@weir/wire/bytes';
import { asn, ip } from '@weir/wire/inet';
import { waitFor } from '../lab/index.ts';

export interface RawTarget {
  /** Path of the namespace that the connection is made from. */
  readonly namespace: string;
  readonly source: string;
  readonly address: string;
  readonly port: number;
}

/** A TCP connection to a BGP speaker that says whatever the test wants. Messages that come back are decoded; after a NOTIFICATION there are no more. */
export class RawBgp {
  readonly messages: Message[] = [];
  readonly #socket: Socket;
  readonly #framer = new MessageFramer();
  /** How the connection ended; undefined while it is there. */
  ended: 'closed' | 'reset' | 'refused' | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => {
      this.ended ??= 'closed';
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended ??= error.code === 'ECONNREFUSED' ? 'refused' : 'reset';
    });
    socket.on('close', () => {
      this.ended ??= 'closed';
    });
  }

  /** Begins to connect. */
  static connect({ namespace, source, address, port }: RawTarget): RawBgp {
    const from = ip(source);
    const fd = inNetworkNamespace<number>(namespace, () => openTcp({ family: from.family, source: from, freebind: true }));
    const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true };
    const socket = new Socket(options);
    const raw = new RawBgp(socket);
    socket.connect({ host: address, port });
    return raw;
  }

  write(bytes: Uint8Array | string): void {
    if (!this.#socket.destroyed) this.#socket.write(typeof bytes === 'string' ? parseHex(bytes) : bytes);
  }

  /** The first message of a kind. */
  async message<K extends Message['kind']>(kind: K, timeoutMs: number = 10_000): Promise<Extract<Message, { kind: K }>> {
    const found = await waitFor(`a message of kind ${kind}`, () => this.messages.find((message) => message.kind === kind), {
      timeoutMs,
      intervalMs: 2,
    });
    return found as Extract<Message, { kind: K }>;
  }

  async end(timeoutMs: number = 10_000): Promise<void> {
    await waitFor('the connection to end', () => this.ended, { timeoutMs, intervalMs: 2 });
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #take(chunk: Buffer): void {
    this.#framer.push(chunk);
    for (let message = this.#framer.next(); message !== undefined; message = this.#framer.next())
      this.messages.push(decodeMessage(message.slice(), sessionContext({ extendedMessage: true })));
  }
}

export function open(fields: Partial<OpenMessage> = {}): Uint8Array {
  const w = new Writer(64);
  encodeOpen(w, {
    kind: 'open',
    version: 4,
    myAs: 64516,
    holdTime: 90,
    routerId: ip('192.0.2.99'),
    capabilities: [
      { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
      { kind: 'four-octet-as', asn: asn(fields.myAs ?? 64516) },
    ],
    ...fields,
  });
  return w.finish();
}

export function keepalive(): Uint8Array {
  const w = new Writer(19);
  encodeKeepalive(w);
  return w.finish();
}

/** A message with the right marker, whatever its length field and type say. */
export function frame(type: number, body: Uint8Array, length: number = 19 + body.length): Uint8Array {
  const w = new Writer(19 + body.length);
  for (let i = 0; i < 16; i++) w.u8(0xff);
  return w.u16(length).u8(type).bytes(body).finish();
}
