import { Packet, type PacketContext } from '@weir/filter/packet';
import { type Bed, INGRESS, type Sight, UNSEEN } from './bed.ts';
import type { Specimen } from './generate/packets.ts';
import { networkOf, vlanOf } from './network.ts';

/** One packet that may come to the hook: the frames that carry it, and its octets there. */
export interface Subject {
  readonly frames: readonly Uint8Array[];
  readonly bytes: Uint8Array;
  readonly mark: number;
}

/** What comes to the hook of a specimen: the packet put together where fragments are, else each frame. */
export function subjectsOf(specimen: Specimen, mark: number, bed: Bed): readonly Subject[] {
  const { frames, whole } = specimen;
  const family = ((whole?.[0] ?? 0) >> 4) as 4 | 6;
  if (whole && bed.assembles(family)) return [{ frames, bytes: bed.atHook(whole), mark }];
  return frames.map((frame) => ({ frames: [frame], bytes: bed.atHook(networkOf(frame)), mark }));
}

/** The sights of each subject, one for all of its frames: the one that came to the hook, if any did. */
export function sightsOf(subjects: readonly Subject[], bed: Bed): readonly Sight[] {
  const shots = subjects.flatMap(({ frames, mark }) => frames.map((frame) => ({ frame, mark })));
  const sights = bed.send(shots);
  let at = 0;
  return subjects.map(({ frames }) => {
    const mine = sights.slice(at, at + frames.length);
    at += frames.length;
    return mine.find((sight) => sight.reached) ?? UNSEEN;
  });
}

/** The packet with all that the hook knows of it. */
export function packetOf(subject: Subject, sight: Sight, bed: Bed): Packet {
  return Packet.fromNetwork(subject.bytes, contextOf(subject, sight, bed));
}

/** The same read from the frame that brought it, tags and padding and all; undefined where the hook sees something else than the frame. */
export function framedPacketOf(subject: Subject, sight: Sight, bed: Bed): Packet | undefined {
  const [frame, ...more] = subject.frames;
  const { hook } = bed.options;
  if (!frame || more.length > 0 || hook === 'forward' || hook === 'output') return undefined;
  return Packet.fromEthernet(frame, contextOf(subject, sight, bed));
}

function contextOf(subject: Subject, { state, oif }: Sight, bed: Bed): PacketContext {
  const { hook } = bed.options;
  const tag = vlanOf(subject.frames[0] ?? new Uint8Array());
  const iif = tag === 0 ? INGRESS : `${INGRESS}.${tag}`;
  return {
    mark: subject.mark,
    state,
    // Raw sockets are opened as root.
    ...(hook === 'output' ? { uid: 0 } : { iif }),
    ...(hook === 'output' || hook === 'forward' ? { oif } : {}),
  };
}
