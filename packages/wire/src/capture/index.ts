/** Capture files (pcap, pcapng) and the link layers of what is in them. */
export {
  ETHERTYPE_8021AD,
  ETHERTYPE_8021Q,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  type Link,
  readEthernet,
  readLink,
  readNetwork,
  readsLinkType,
} from './link.ts';
export { type CapturedFrame, type CaptureProblem, readFrames } from './read-frames.ts';
export { encodePcap, encodePcapFrame, encodePcapHeader, type FrameToWrite } from './write-pcap.ts';
