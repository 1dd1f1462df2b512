import { describe, expect, it } from 'vitest';
import { Epoll } from './epoll.ts';
import { wakeUp } from './event-descriptor.ts';

describe('Epoll', () => {
  it('tells which descriptors can be read, until they cannot', () => {
    const outer = new Epoll();
    const inner = new Epoll();
    outer.add(inner.wakeDescriptor);
    expect(outer.wait(0)).toEqual({ ready: [], woken: false });
    wakeUp(inner.wakeDescriptor);
    expect(outer.wait(1000)).toEqual({ ready: [inner.wakeDescriptor], woken: false });
    expect(outer.wait(0).ready).toEqual([inner.wakeDescriptor]);
    wakeUp(outer.wakeDescriptor);
    wakeUp(outer.wakeDescriptor);
    expect(outer.wait(0)).toEqual({ ready: [inner.wakeDescriptor], woken: true });
    expect(outer.wait(0).woken).toBe(false);
    outer.remove(inner.wakeDescriptor);
    expect(outer.wait(0).ready).toEqual([]);
    for (const one of [inner, outer, outer]) one.close();
    expect(() => outer.wait(0)).toThrow('epoll: EBADF (it is closed)');
  });
});
