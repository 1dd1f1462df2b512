import type { SessionEvent } from '@weir/bgp/session';
import { parseIp, printIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../model/event.ts';
import { describeEvent } from '../../observe/describe-event.ts';
import { TestClock, update } from '../../state/test-fixtures.ts';
import { ClientSessions } from './client-sessions.ts';
import { established } from './test-session.ts';

const up = (peer: string): SessionEvent => established(peer, { families: ['ipv4 unicast'] });

const down = (peer: string): SessionEvent => ({
  kind: 'down',
  peer,
  reason: 'transport',
  notification: undefined,
  detail: 'connection reset',
  graceful: false,
  retain: [],
});

class Scene {
  readonly clock = new TestClock();
  readonly events: Event[] = [];
  readonly heard: string[] = [];
  readonly asked: string[] = [];
  readonly clients = new ClientSessions({ clock: this.clock, events: (event) => this.events.push(event) });

  constructor() {
    const tell = (what: string) => (session: { readonly name: string }) => this.heard.push(`${what} ${session.name}`);
    this.clients.listen({ established: tell('up'), heard: tell('said'), down: tell('down'), forgotten: tell('gone') });
    this.clients.attach({
      peers: [],
      requestRefresh: (peer, family) => {
        this.asked.push(`${peer} ${family}`);
        return true;
      },
    });
  }

  add(...addresses: readonly string[]): this {
    for (const address of addresses)
      this.clients.take({ kind: 'peer-added', peer: `hosts-${address}`, group: 'hosts', address: parseIp(address)! });
    return this;
  }

  logged(): readonly string[] {
    return this.events.splice(0).map((event) => {
      const { level, message } = describeEvent(event);
      return `${level} ${message}`;
    });
  }
}

describe('sessions of clients', () => {
  it('are known from when they come until they are forgotten, and are nobody else', () => {
    const scene = new Scene().add('192.0.2.7', '192.0.2.8');
    const { clients } = scene;
    const name = 'hosts-192.0.2.7';
    expect(clients.take({ kind: 'state', peer: 'core', from: 'Idle', to: 'Connect' })).toBe(false);
    expect(clients.take({ kind: 'state', peer: name, from: 'Idle', to: 'Connect' })).toBe(true);
    clients.take(up(name));
    clients.take({ kind: 'update', peer: name, update: update({}), receivedAt: 0 });
    expect([clients.established('hosts'), clients.sessions('hosts').length, clients.sessions('mail').length]).toEqual([1, 2, 0]);
    expect(clients.sessions()[0]).toMatchObject({ name, client: 'hosts', as: 64513, established: true });
    expect(printIp(clients.sessions()[0]!.address)).toBe('192.0.2.7');
    for (const session of clients.sessions()) clients.refresh(session);
    expect(scene.asked).toEqual([`${name} ipv4 unicast`, `${name} ipv6 unicast`]);
    clients.take(down(name));
    clients.take({ kind: 'peer-forgotten', peer: name });
    expect([scene.heard, clients.sessions().length]).toEqual([[`up ${name}`, `said ${name}`, `down ${name}`, `gone ${name}`], 1]);
    expect(clients.take(up(name))).toBe(false);
  });

  it('are told of a client at a time', () => {
    const scene = new Scene();
    for (let i = 1; i < 200; i++) scene.add(`192.0.2.${i}`).clients.take(up(`hosts-192.0.2.${i}`));
    expect(scene.logged()).toEqual([]);
    scene.clock.advance(1000);
    expect(scene.logged()).toEqual(['info client hosts: 199 up (192.0.2.199); 199 sessions now']);
    for (let second = 0; second < 9; second++) {
      scene.clients.take(down('hosts-192.0.2.7'));
      scene.clients.take(up('hosts-192.0.2.7'));
      scene.clock.advance(500);
    }
    expect(scene.logged()).toEqual([]);
    scene.clients.take(down('hosts-192.0.2.7'));
    scene.clock.advance(6000);
    expect(scene.logged()).toEqual(['warn client hosts: 9 up, 10 down (192.0.2.7: transport: connection reset); 198 sessions now']);
    scene.clock.advance(1e6);
    expect(scene.logged()).toEqual([]);
  });

  it('are told of with what was refused, which alone is told less often', () => {
    const scene = new Scene().add('192.0.2.7');
    const [session] = scene.clients.sessions();
    for (let i = 0; i < 1000; i++) scene.clients.refused(session!, 10);
    scene.clock.advance(1000);
    expect(scene.logged()).toEqual(['warn client hosts: 10000 announcements refused; 0 sessions now']);
    scene.clients.refused(session!, 1);
    scene.clock.advance(100_000);
    expect(scene.logged()).toEqual([]);
    scene.clients.take(up('hosts-192.0.2.7'));
    scene.clock.advance(1000);
    expect(scene.logged()).toEqual(['warn client hosts: 1 up, 1 announcements refused (192.0.2.7); 1 session now']);
  });
});
