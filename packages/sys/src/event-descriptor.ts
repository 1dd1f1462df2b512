import { bind, check, native, SystemError } from './libc.ts';

const eventfd = bind<[number, number], number>('int eventfd(unsigned int value, int flags)');
const write = bind<[number, Uint8Array, number], number | bigint>('intptr_t write(int fd, void *data, size_t length)');
const read = bind<[number, Uint8Array, number], number | bigint>('intptr_t read(int fd, void *data, size_t length)');

const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const EAGAIN = 11;
const ONE = new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]);

/** A descriptor that can be read once somebody has called `wakeUp` with it, in whichever thread (eventfd(2)). Throws SystemError. */
export function openEvent(): number {
  return check('eventfd', eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/** Ends the wait of whoever sleeps on the descriptor, or the next one. */
export function wakeUp(wakeDescriptor: number): void {
  check('write', Number(write(wakeDescriptor, ONE, ONE.length)), 'eventfd');
}

/** The descriptor can no longer be read until the next `wakeUp`. */
export function takeEvent(fd: number): void {
  if (Number(read(fd, new Uint8Array(8), 8)) < 0 && native().errno() !== EAGAIN) throw new SystemError('read', native().errno(), 'eventfd');
}
