import { bind, check } from './libc.ts';
import { SOL_SOCKET } from './tcp-constants.ts';

const setsockopt = bind<[number, number, number, Uint8Array, number], number>(
  'int setsockopt(int fd, int level, int name, void *value, uint32_t length)',
);

const SO_DETACH_FILTER = 27;
const SO_ATTACH_BPF = 50;

/** Lets a BPF program of type socket filter judge what a socket receives; undefined takes a filter away again. Throws SystemError. */
export function setSocketFilter(socket: number, program: number | undefined): void {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setInt32(0, program ?? 0, true);
  const option = program === undefined ? SO_DETACH_FILTER : SO_ATTACH_BPF;
  check('setsockopt', setsockopt(socket, SOL_SOCKET, option, value, 4), program === undefined ? 'SO_DETACH_FILTER' : 'SO_ATTACH_BPF');
}
