import { readFileSync } from 'node:fs';
import { Packet, type PacketContext } from '@weir/filter/packet';
import { DecodeError } from '@weir/wire/bytes';
import { readFrames } from '@weir/wire/capture';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from '../io.ts';

/** Packets of a capture file, at most `most`. What cannot be read of it is told on stderr. Throws CliError when it is no capture. */
export function readCapture(file: string, context: PacketContext, most: number, io: Io): readonly Packet[] {
  const packets: Packet[] = [];
  let unread = 0;
  try {
    for (const frame of readFrames(readBytes(file))) {
      if (!('bytes' in frame)) {
        io.err(`${file}: offset ${frame.offset}: ${frame.message}\n`);
        continue;
      }
      if (packets.length >= most) {
        io.err(`${file}: only the first ${most} packets are looked at\n`);
        break;
      }
      const packet = Packet.fromCapture(frame.bytes, frame.linkType, { ...context, wireLength: frame.wireLength });
      if (packet) packets.push(packet);
      else unread++;
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new CliError(EXIT.finding, `${file} is no capture: ${error.message}`);
  }
  if (unread > 0) io.err(`${file}: ${unread} packets of a link type that is not known were left out\n`);
  return packets;
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliError(EXIT.error, `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
