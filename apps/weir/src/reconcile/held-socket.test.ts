import { expect, it } from 'vitest';
import { holdSocket, takeHeldSocket } from './held-socket.ts';

it.each([
  { name: 'what was held under our name', names: 'other:weir-table', pid: '7', want: 4 },
  { name: 'nothing under another', names: 'other:more', pid: '7', want: undefined },
  { name: 'nothing for another process', names: 'other:weir-table', pid: '8', want: undefined },
])('takes $name, and leaves nothing of it in the environment', ({ names, pid, want }) => {
  const env: Record<string, string | undefined> = { LISTEN_PID: pid, LISTEN_FDS: '2', LISTEN_FDNAMES: names, HOME: '/' };
  expect(takeHeldSocket(env, 7)).toBe(want);
  expect(env).toEqual({ HOME: '/' });
});

it('is quiet without a service manager, and when the socket is held already', () => {
  expect(holdSocket({ descriptor: -1, adopted: true }, 4)).toBeUndefined();
  expect(holdSocket({ descriptor: -1, adopted: false }, undefined)).toBeUndefined();
});
