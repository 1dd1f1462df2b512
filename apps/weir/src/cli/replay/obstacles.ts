import { inputRefusal, type Packet } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import type { Ip } from '@weir/wire/inet';
import { isIp } from '../explain/known-members.ts';

/** Why the kernel does not bring a packet to a hook, as far as the packet says so; undefined when nothing speaks against it. */
export function obstacle(packet: Packet, hook: Hook): string | undefined {
  if (hook === 'output') return isSendable(packet) ? undefined : 'its header is broken: this machine would not send it';
  const refusal = inputRefusal(packet);
  if (refusal !== undefined) return refusal === 'not ip' ? refusal : `the kernel refuses it: ${refusal}`;
  if (hook !== 'input' && hook !== 'forward') return undefined;
  const [source, destination] = [packet.field('ip.src'), packet.field('ip.dst')];
  if (source === undefined || destination === undefined || !isIp(source) || !isIp(destination)) return undefined;
  const martian = source.family === 4 ? martian4(source, destination, packet) : undefined;
  if (martian !== undefined) return martian;
  return hook === 'forward' ? notForwarded(packet, source, destination) : undefined;
}

function isSendable({ bytes, headers: { family, network } }: Packet): boolean {
  const first = bytes[network] ?? 0;
  return first >> 4 === family && bytes.length - network >= (family === 4 ? 20 : 40) && (family === 6 || (first & 15) >= 5);
}

/** Whether an IPv6 packet ends within its extension headers: the kernel judges it, but its reports fail (`nft_trace_notify` copies the transport header). */
export function endsEarly({ headers: { transport, end } }: Packet): boolean {
  return transport !== undefined && transport > end;
}

const BROADCAST = 0xffffffff;
const IGMP = 2;

/** Sources and destinations that IPv4's routing refuses (`log_martians`). */
function martian4({ w0: source }: Ip, { w0: destination }: Ip, packet: Packet): string | undefined {
  const from = 'martian source address';
  if (isMulticast4(source) || source === BROADCAST) return from;
  if (isMulticast4(destination)) {
    const local = destination >>> 8 === 0xe00000;
    return source >>> 24 === 0 && !local && packet.headers.protocol !== IGMP ? from : undefined;
  }
  if (destination === BROADCAST || (source === 0 && destination === 0)) return undefined;
  if (source >>> 24 === 0) return from;
  return destination >>> 24 === 0 ? 'martian destination address' : undefined;
}

function notForwarded(packet: Packet, source: Ip, destination: Ip): string | undefined {
  if (isMulticast(destination)) return 'multicast is not forwarded';
  if (destination.family === 4 && (destination.w0 === BROADCAST || destination.w0 === 0)) return 'broadcast is not forwarded';
  if (isLinkLocal(source) || isLinkLocal(destination)) return 'link-local addresses are not forwarded';
  if (source.family === 6 && source.w0 === 0 && source.w1 === 0 && source.w2 === 0 && source.w3 === 0) return 'it has no source address';
  const hops = packet.field('ip.ttl');
  return typeof hops === 'number' && hops <= 1 ? 'its hops are used up' : undefined;
}

function isMulticast4(address: number): boolean {
  return address >>> 28 === 14;
}

function isMulticast({ family, w0 }: Ip): boolean {
  return family === 4 ? isMulticast4(w0) : w0 >>> 24 === 0xff;
}

function isLinkLocal({ family, w0 }: Ip): boolean {
  return family === 6 && w0 >>> 22 === 0x3fa;
}
