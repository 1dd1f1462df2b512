/** Packets: bytes to fields. */

export { buildEthernet, buildPacket } from './build.ts';
export { finishChecksum, sumWords } from './checksum.ts';
export type { ConnectionState, PacketContext } from './context.ts';
export { describePacket, describeTcpFlags, escapeText } from './describe.ts';
export {
  type EthernetDescription,
  type Extension,
  type FragmentDescription,
  type PacketDescription,
  TCP_FLAGS,
  type TcpDescription,
  type Transport,
  type UdpDescription,
  type VlanTag,
  type WrongHeader,
} from './description.ts';
export { isDnsQuery } from './dns.ts';
export { buildFragments } from './fragments.ts';
export type { Headers } from './headers.ts';
export { icmpTypeName, icmpTypeNumber } from './icmp-names.ts';
export { isNtp } from './ntp.ts';
export { type FieldValue, Packet } from './packet.ts';
export { protocolName } from './protocol-name.ts';
export { type Reassembled, Reassembly, type ReassemblyLimits } from './reassembly.ts';
export { inputRefusal, type Refusal } from './refusal.ts';
export { readSip, type SipOptions, type SipStart } from './sip.ts';
