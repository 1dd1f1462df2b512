import type { Config } from '../model/config.ts';
import type { Event } from '../model/event.ts';
import { RouteState } from './route-state.ts';
import type { RouteStateOptions } from './route-state-options.ts';
import { Installed, type Said, TestClock, update } from './test-fixtures.ts';

/** A state with a clock moved by hand and a kernel that applies what is drained. */
export class StateUnderTest {
  readonly clock: TestClock = new TestClock();
  readonly kernel: Installed = new Installed();
  readonly events: Event[] = [];
  readonly state: RouteState;

  constructor(config: Config, options: Partial<RouteStateOptions> = {}) {
    this.state = new RouteState({ clock: this.clock, events: (event) => this.events.push(event), ...options });
    this.state.configure(config);
  }

  say(peer: string, said: Said): void {
    this.state.update(peer, update({ communities: ['64512:80'], ...said }), { fourOctetAs: true, receivedAt: this.clock.now() });
  }

  /** The members of a set in the kernel once everything has been drained. */
  members(set: string): string[] {
    this.kernel.apply(this.state.drain());
    return this.kernel.list(set);
  }

  /** Moves time on. */
  wait(ms: number): this {
    this.clock.advance(ms);
    return this;
  }
}
