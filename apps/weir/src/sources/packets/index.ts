/** Packets as people write them. */
export { packetOf, parsePacketWords, type WordedPacket, type WordsResult } from './packet-words.ts';
