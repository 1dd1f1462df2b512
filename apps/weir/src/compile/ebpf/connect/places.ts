import type { Place } from '../../../model/ebpf-program.ts';

/** Where processes ask for connections: connect(2), and sendto(2) without one, by the family of the socket. */
export type ConnectPlace = Extract<Place, 'connect4' | 'connect6' | 'sendmsg4' | 'sendmsg6'>;

export function isConnectPlace(place: Place): place is ConnectPlace {
  return place === 'connect4' || place === 'connect6' || place === 'sendmsg4' || place === 'sendmsg6';
}
