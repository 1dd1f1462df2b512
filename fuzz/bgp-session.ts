import { connect } from 'node:net';
import { type Capability, encodeMessage, encodeUpdate, type Message, MessageFramer, nlriRun, sessionContext } from '@weir/bgp/codec';
import { BgpSpeaker, type SessionEvent } from '@weir/bgp/session';
import { Writer } from '@weir/wire/bytes';
import { asn, ip, prefix } from '@weir/wire/inet';
import type { FuzzTarget } from './fuzz.ts';

/** Milliseconds in which a connection must be over once the peer has closed its side. */
const PATIENCE = 5000;

const context = sessionContext();

function bytesOf(...messages: readonly Message[]): Uint8Array {
  const w = new Writer(256);
  for (const message of messages) encodeMessage(w, message, context);
  return w.finish();
}

const capabilities: readonly Capability[] = [
  { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
  { kind: 'multiprotocol', family: { afi: 2, safi: 1 } },
  { kind: 'route-refresh' },
  { kind: 'enhanced-route-refresh' },
  { kind: 'four-octet-as', asn: asn(64512) },
  { kind: 'extended-message' },
  {
    kind: 'graceful-restart',
    restarting: false,
    notification: true,
    restartTime: 120,
    families: [{ afi: 1, safi: 1, forwardingPreserved: false }],
  },
];
const open = bytesOf({ kind: 'open', version: 4, myAs: 64512, holdTime: 90, routerId: ip('192.0.2.1'), capabilities });
const keepalive = bytesOf({ kind: 'keepalive' });
/** What is said before the input: nothing, an OPEN, or all that makes a session Established. */
const PREAMBLES: readonly Uint8Array[] = [new Uint8Array(0), open, Uint8Array.from([...open, ...keepalive])];

const updates = [
  ...encodeUpdate(
    {
      attributes: { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64512)] }], communities: [1, 2] },
      announce: [
        { nextHop: { address: ip('192.0.2.1') }, run: nlriRun('ipv4 unicast', [prefix('203.0.113.0/24'), prefix('198.51.100.1/32')]) },
        { nextHop: { address: ip('2001:db8::1') }, run: nlriRun('ipv6 unicast', [prefix('2001:db8:1::/48')]) },
      ],
      withdraw: [nlriRun('ipv4 unicast', [prefix('192.0.2.0/25')])],
    },
    context,
  ),
];

interface Running {
  readonly speaker: BgpSpeaker;
  readonly port: number;
  /** Sessions that came up and have not gone down. */
  readonly up: () => number;
}

function start(): Promise<Running> {
  let up = 0;
  return new Promise((resolve) => {
    const sink = (event: SessionEvent): void => {
      if (event.kind === 'established') up++;
      if (event.kind === 'down') up--;
      if (event.kind === 'listening') resolve({ speaker, port: event.port, up: () => up });
    };
    const speaker = new BgpSpeaker(
      {
        localAs: asn(64513),
        routerId: ip('192.0.2.2'),
        listen: [{ address: ip('127.0.0.2'), port: 0 }],
        peers: [{ name: 'a', address: ip('127.0.0.1'), peerAs: asn(64512), families: ['ipv4 unicast', 'ipv6 unicast'], passive: true }],
      },
      sink,
    );
    speaker.start();
  });
}

/** Says `parts` to the speaker, hangs up, and reads its answers to the end. Rejects when it does not hang up too or answers with what is no message. */
function converse(port: number, parts: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const framer = new MessageFramer({ extendedMessage: true });
    const socket = connect({ host: '127.0.0.2', port, localAddress: '127.0.0.1' });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('the connection was not ended'));
    }, PATIENCE);
    socket.on('connect', () => {
      for (const part of parts) socket.write(part);
      socket.end();
    });
    socket.on('data', (chunk) => {
      try {
        framer.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
        while (framer.next() !== undefined);
      } catch (error) {
        reject(error);
        socket.destroy();
      }
    });
    // A reset is an answer too: the speaker refuses, or closes before it has read everything.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The first octet chooses the preamble, the second how many octets go out at a time; the rest is the stream. */
export const target: FuzzTarget = {
  name: 'bgp-session',
  corpus: () => {
    const streams = [
      open,
      keepalive,
      Uint8Array.from([...open, ...keepalive, ...updates.flatMap((u) => [...u])]),
      ...updates,
      bytesOf({ kind: 'route-refresh', family: { afi: 1, safi: 1 }, subtype: 0 }),
      bytesOf({ kind: 'notification', code: 6, subcode: 9, data: Uint8Array.of(6, 2, 3, 98, 121, 101) }),
    ];
    return streams.flatMap((stream, i) => [0, 1, 2].map((preamble) => Uint8Array.from([preamble, i * 40, ...stream])));
  },
  run: async (input) => {
    // What is thrown inside a socket's handler has no caller to reach.
    const thrown: unknown[] = [];
    const caught = (error: unknown): void => void thrown.push(error);
    process.on('uncaughtException', caught);
    const { speaker, port, up } = await start();
    try {
      await converse(port, partsOf(input));
      for (let turn = 0; speaker.status('a').state === 'Established' && turn < 1000; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      if (thrown.length > 0) throw thrown[0];
      const { state, sendPending } = speaker.status('a');
      if (state === 'Established' || up() !== 0) throw new Error(`${state}, ${up()} sessions up after the connection was closed`);
      if (sendPending !== 0) throw new Error(`${sendPending} octets to send without a session`);
    } finally {
      process.off('uncaughtException', caught);
      await speaker.close();
    }
  },
};

function partsOf(input: Uint8Array): readonly Uint8Array[] {
  const [preamble = 0, size = 0] = input;
  const stream = input.subarray(2);
  const step = size === 0 ? Math.max(stream.length, 1) : size;
  const parts: Uint8Array[] = [PREAMBLES[preamble % PREAMBLES.length] ?? new Uint8Array(0)];
  for (let at = 0; at < stream.length; at += step) parts.push(stream.subarray(at, at + step));
  return parts;
}
