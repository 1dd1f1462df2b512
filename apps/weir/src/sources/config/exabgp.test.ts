import { describe, expect, test } from 'vitest';
import { loadText, printAll } from './memory-files.ts';

const file = (peer: string, more = ''): string =>
  `bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64513, via: exabgp${peer} }] }\n${more}`;

describe('peers of ExaBGP', () => {
  test('with every default', () => {
    const { config } = loadText(file(''));
    expect(config?.bgp.peers[0]).toMatchObject({ name: 'core', via: 'exabgp', restartTime: 120 });
    expect(config?.exabgp).toBeUndefined();
  });

  test('how they are handed over', () => {
    const loaded = loadText(file('', 'exabgp: { socket: /run/weir/exabgp.sock, user: exabgp }\n'));
    expect(printAll(loaded)).toBe('');
    expect(loaded.config?.exabgp).toEqual({ socket: '/run/weir/exabgp.sock', user: 'exabgp', onNoRefresh: 'reset' });
  });

  test.each([
    { key: ', hold_time: 30', name: 'hold_time' },
    { key: ', ttl_security: 1', name: 'ttl_security' },
    { key: ', add_path: true', name: 'add_path' },
    { key: ', passive: true', name: 'passive' },
    { key: ', max_prefixes: { limit: 9, action: restart }', name: 'restart' },
  ])("$name is for sessions of Weir's own", ({ key, name }) => {
    const loaded = loadText(file(key));
    expect(loaded.config).toBeUndefined();
    expect(printAll(loaded)).toContain(`error[E026] ${name} is for sessions of Weir's own; ExaBGP holds this one`);
  });

  test.each([{ key: ', max_prefixes: { limit: 9, action: warn }' }, { key: ', source: 192.0.2.1' }, { key: ', keep_all: true' }])(
    'but not $key',
    ({ key }) => {
      expect(printAll(loadText(file(key)))).toBe('');
    },
  );
});
