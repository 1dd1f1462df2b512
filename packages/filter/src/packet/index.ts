/** Packets: bytes to fields. */
export type { ConnectionState, PacketContext } from './context.ts';
export { isDnsQuery } from './dns.ts';
export type { Headers } from './headers.ts';
export type { Link } from './link.ts';
export { isNtp } from './ntp.ts';
export { type FieldValue, Packet } from './packet.ts';
export { protocolName } from './protocol-name.ts';
export { readSip, type SipOptions, type SipStart } from './sip.ts';
