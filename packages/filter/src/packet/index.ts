/** Packets: bytes to fields. */
export type { PacketContext } from './context.ts';
