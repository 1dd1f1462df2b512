import { createServer, type Server, type Socket } from 'node:net';
import {
  encodeEndOfRib,
  encodeKeepalive,
  encodeOpen,
  encodeUpdate,
  type FlowRule,
  flowRun,
  MessageFramer,
  nlriRun,
  type PathAttributes,
  sessionContext,
} from '@weir/bgp/codec';
import { inNetworkNamespace, openTcpListener } from '@weir/sys';
import { Writer } from '@weir/wire/bytes';
import { asn, type Ip, type Prefix, parseIp } from '@weir/wire/inet';

export const LOCAL_AS = 64512;
export const SENDER_AS = 64513;
/** 64512:80 */
const COMMUNITY = 0xfc000050;

const OPEN = 1;
const NOTIFICATION = 3;
const KEEPALIVE = 4;

/** Sends octets that were encoded before: one neighbour that waits for the other side, answers an OPEN, and then writes what it is told to. */
export class RawSender {
  readonly #server: Server;
  #socket: Socket | undefined;
  #established: (() => void) | undefined;
  #up: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(server: Server, address: Ip, flows: boolean) {
    this.#server = server;
    this.#expect();
    server.on('connection', (socket) => this.#accept(socket, address, flows));
  }

  /** Listens on port 179 of `address` inside a namespace. `flows`: IPv4 flow rules are spoken of as well. */
  static async listen(namespace: string, address: string, flows = false): Promise<RawSender> {
    const ip = parseIp(address);
    if (!ip) throw new RangeError(`not an address: ${address}`);
    const fd = inNetworkNamespace<number>(namespace, () => openTcpListener({ address: ip, port: 179 }));
    const server = createServer({ noDelay: true });
    const sender = new RawSender(server, ip, flows);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd }, resolve);
    });
    return sender;
  }

  /** Resolves when the session that began last is up. */
  established(): Promise<void> {
    return this.#up;
  }

  /** The next session to come up, once the present one is known to go. */
  next(): Promise<void> {
    this.#expect();
    return this.#up;
  }

  /** Writes at once. The socket takes what it can on this very turn. */
  write(bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure;
    if (!this.#socket) throw new Error('no session');
    this.#socket.write(bytes);
  }

  /** Writes everything, no faster than it is taken. */
  async writeAll(messages: readonly Uint8Array[]): Promise<void> {
    for (const message of messages) {
      const socket = this.#socket;
      if (this.#failure || !socket) throw this.#failure ?? new Error('the session ended');
      if (!socket.write(message)) await new Promise<void>((resolve) => socket.once('drain', resolve));
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.destroy();
    this.#server.close();
  }

  #expect(): void {
    this.#up = new Promise((resolve) => {
      this.#established = resolve;
    });
  }

  #accept(socket: Socket, address: Ip, flows: boolean): void {
    clearInterval(this.#timer);
    const framer = new MessageFramer();
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      for (let message = framer.next(); message !== undefined; message = framer.next()) {
        if (message[18] === OPEN) socket.write(Buffer.concat([open(address, flows), keepalive()]));
        else if (message[18] === KEEPALIVE) this.#established?.();
        else if (message[18] === NOTIFICATION) this.#failure = new Error(`NOTIFICATION ${message[19]}/${message[20]}`);
      }
    });
    this.#timer = setInterval(() => socket.write(keepalive()), 10_000);
    this.#timer.unref();
  }
}

function bytes(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(128);
  write(w);
  return w.finish();
}

function keepalive(): Uint8Array {
  return bytes(encodeKeepalive);
}

function open(routerId: Ip, flows: boolean): Uint8Array {
  return bytes((w) =>
    encodeOpen(w, {
      kind: 'open',
      version: 4,
      myAs: SENDER_AS,
      holdTime: 90,
      routerId,
      capabilities: [
        { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
        ...(flows ? [{ kind: 'multiprotocol', family: { afi: 1, safi: 133 } } as const] : []),
        { kind: 'four-octet-as', asn: asn(SENDER_AS) },
      ],
    }),
  );
}

const context = sessionContext({ peerKind: 'ebgp', localAs: asn(SENDER_AS), peerAs: asn(LOCAL_AS), families: ['ipv4 unicast'] });
const family = 'ipv4 unicast';

/** UPDATEs of at most 4,096 octets that announce IPv4 prefixes with the community 64512:80. */
export function announcements(prefixes: readonly Prefix[], nextHop: Ip): readonly Uint8Array[] {
  const attributes: PathAttributes = { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(SENDER_AS)] }], communities: [COMMUNITY] };
  return [...encodeUpdate({ attributes, announce: [{ nextHop: { address: nextHop }, run: nlriRun(family, prefixes) }] }, context)];
}

export function withdrawals(prefixes: readonly Prefix[]): readonly Uint8Array[] {
  return [...encodeUpdate({ withdraw: [nlriRun(family, prefixes)] }, context)];
}

export function endOfRib(): Uint8Array {
  return bytes((w) => encodeEndOfRib(w, family));
}

const flowContext = sessionContext({ ...context, families: ['ipv4 unicast', 'ipv4 flow'] });
/** traffic-rate-bytes of 0. */
const DISCARD = { high: 0x8006_0000, low: 0 };

/** UPDATEs that announce IPv4 flow rules to discard. */
export function flowAnnouncements(rules: readonly FlowRule[]): readonly Uint8Array[] {
  const attributes: PathAttributes = {
    origin: 'igp',
    asPath: [{ kind: 'sequence', asns: [asn(SENDER_AS)] }],
    extendedCommunities: [DISCARD],
  };
  return [...encodeUpdate({ attributes, announceFlows: [{ nextHop: undefined, run: flowRun('ipv4 flow', rules) }] }, flowContext)];
}

export function flowWithdrawals(rules: readonly FlowRule[]): readonly Uint8Array[] {
  return [...encodeUpdate({ withdrawFlows: [flowRun('ipv4 flow', rules)] }, flowContext)];
}
