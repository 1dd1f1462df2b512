// node feeder.ts COUNT: listens on 192.0.2.2:179 and, once a session is up, sends COUNT routes and End-of-RIB as fast as the other side reads. Prints the
// time (ms since the epoch) of the first octet and of the last.
import { createServer, type Socket } from 'node:net';
import { decodeMessage, encodeEndOfRib, encodeKeepalive, encodeMessage, MessageFramer, sessionContext } from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { asn, ip4 } from '@weir/wire/inet';
import { encodeRoutes, FEEDER } from './routes.ts';

const CHUNK = 1 << 18;

function bytesOf(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(128);
  write(w);
  return w.finish();
}

const context = sessionContext({ families: ['ipv4 unicast'] });
const keepalive = bytesOf(encodeKeepalive);
const open = bytesOf((w) =>
  encodeMessage(
    w,
    {
      kind: 'open',
      version: 4,
      myAs: FEEDER.as,
      holdTime: 180,
      routerId: ip4(0xc0000202),
      capabilities: [
        { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
        { kind: 'route-refresh' },
        { kind: 'four-octet-as', asn: asn(FEEDER.as) },
      ],
    },
    context,
  ),
);

/** All messages in buffers of about `CHUNK` octets. */
function chunks(messages: readonly Uint8Array[]): Buffer[] {
  const out: Buffer[] = [];
  let part: Uint8Array[] = [];
  let size = 0;
  for (const message of messages) {
    part.push(message);
    size += message.length;
    if (size < CHUNK) continue;
    out.push(Buffer.concat(part));
    part = [];
    size = 0;
  }
  out.push(Buffer.concat(part));
  return out;
}

const stream = chunks([...encodeRoutes(Number(process.argv[2])), bytesOf((w) => encodeEndOfRib(w, 'ipv4 unicast'))]);

async function feed(socket: Socket): Promise<void> {
  console.log(`first ${Date.now()}`);
  for (const chunk of stream) if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
  console.log(`last ${Date.now()}`);
}

const server = createServer((socket) => {
  const framer = new MessageFramer();
  let fed = false;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const timer = setInterval(() => socket.write(keepalive), 20_000);
  socket.on('close', () => clearInterval(timer));
  socket.on('data', (data) => {
    framer.push(data);
    for (let bytes = framer.next(); bytes; bytes = framer.next()) {
      const { kind } = decodeMessage(bytes, context);
      if (kind === 'open') {
        socket.write(open);
        socket.write(keepalive);
      } else if (kind === 'keepalive' && !fed) {
        fed = true;
        feed(socket).catch((error: unknown) => console.error(error));
      }
    }
  });
});
server.listen(179, FEEDER.address, () => console.log('listening'));
