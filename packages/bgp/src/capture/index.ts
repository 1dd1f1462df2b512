/** BGP messages out of capture files: MRT (RFC 6396) and packet captures. */
export type { CaptureEntry, CaptureOptions, Endpoint } from './entry.ts';
export { readMrt } from './mrt.ts';
export { readPcap } from './pcap.ts';
