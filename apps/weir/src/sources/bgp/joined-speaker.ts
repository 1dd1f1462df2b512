import type { ExabgpSpeaker } from '../exabgp/index.ts';
import type { Speaker } from './bgp-source.ts';

/** Weir's own sessions and those that ExaBGP holds, as one speaker: what is asked about a peer goes to whoever has it. */
export function joinSpeakers(own: Speaker, exabgp: ExabgpSpeaker): Speaker {
  return {
    start: () => own.start(),
    reconfigure: (config) => own.reconfigure(config),
    recall: (address, source) => own.recall(address, source),
    requestRefresh: (peer, family) => (exabgp.has(peer) ? exabgp.requestRefresh(peer, family) : own.requestRefresh(peer, family)),
    resetPeer: (peer, message) => (exabgp.has(peer) ? exabgp.resetPeer(peer) : own.resetPeer(peer, message)),
    // What ExaBGP says is taken into the state's tables whatever the kernel is at: to let it wait would stop its other sessions.
    pause: (peer) => (exabgp.has(peer) ? undefined : own.pause(peer)),
    resume: (peer) => (exabgp.has(peer) ? undefined : own.resume(peer)),
    setPrefixCount: (peer, family, count) =>
      exabgp.has(peer) ? exabgp.setPrefixCount(peer, family, count) : own.setPrefixCount(peer, family, count),
    get peers() {
      return [...own.peers, ...exabgp.peers];
    },
    close: async (options) => {
      exabgp.close();
      await own.close(options);
    },
  };
}
