import type { Packet } from '@weir/filter/packet';
import type { Ip } from '@weir/wire/inet';
import type { VerdictEvent } from '../../model/verdict-event.ts';

/** What an event takes from the bytes of the packet. */
export type PacketFields = Pick<
  VerdictEvent,
  'length' | 'source' | 'destination' | 'protocol' | 'sourcePort' | 'destinationPort' | 'tcpFlags'
>;

const PORTS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** The fields of a packet's event: exactly what programs write for the same packet. */
export function packetFields(packet: Packet): PacketFields {
  const { protocol, length } = packet.headers;
  const [source, destination] = [address(packet, 'ip.src'), address(packet, 'ip.dst')];
  const name = protocol === undefined ? undefined : PORTS[protocol];
  const sourcePort = name === undefined ? undefined : number(packet, `${name}.srcport`);
  const destinationPort = name === undefined ? undefined : number(packet, `${name}.dstport`);
  const tcpFlags = protocol === 6 ? number(packet, 'tcp.flags') : undefined;
  return {
    length,
    ...(source && destination ? { source, destination } : {}),
    ...(protocol === undefined ? {} : { protocol }),
    ...(sourcePort === undefined || destinationPort === undefined ? {} : { sourcePort, destinationPort }),
    ...(tcpFlags === undefined ? {} : { tcpFlags }),
  };
}

function address(packet: Packet, name: string): Ip | undefined {
  const value = packet.field(name);
  return typeof value === 'object' && 'family' in value ? value : undefined;
}

function number(packet: Packet, name: string): number | undefined {
  const value = packet.field(name);
  return typeof value === 'number' ? value : undefined;
}
