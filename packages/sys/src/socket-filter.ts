import { SO_ATTACH_BPF, SO_DETACH_FILTER, setIntOption } from './socket-option.ts';

/** Lets a BPF program of type socket filter judge what a socket receives; undefined takes a filter away again. Throws SystemError. */
export function setSocketFilter(socket: number, program: number | undefined): void {
  setIntOption(socket, program === undefined ? SO_DETACH_FILTER : SO_ATTACH_BPF, program ?? 0);
}
