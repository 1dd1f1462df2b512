import { expect, test } from 'vitest';
import { FORMAT_VERSION } from '../../api/index.ts';
import { renderBlackholes } from './blackhole.ts';

test('blackhole routes in lines: by hand, of flow rules, and what waits', () => {
  const own = {
    prefix: '203.0.113.7/32',
    communities: ['65535:666', '65535:65281'],
    since: '2026-11-21T12:00:00.000Z',
    by: 'uid 0, pid 1',
  };
  const text = renderBlackholes({
    format_version: FORMAT_VERSION,
    announced: [
      { ...own, peers: ['a', 'b'], told: ['a'], until: '2026-11-21T14:00:00.000Z', comment: 're\u001bflection' },
      { ...own, prefix: '2001:db8::7/128', next_hop: '100::1', peers: [], told: [] },
    ],
    from_flows: [
      {
        prefix: '203.0.113.9/32',
        communities: ['65535:666'],
        peers: ['a'],
        told: ['a'],
        because: ['flow4 { dst 203.0.113.9/32; } of detector'],
      },
    ],
    from_flows_counts: { routes: 1, waiting: 2, refused: { length: 3 } },
  });
  expect(text.split('\n')).toEqual([
    '203.0.113.7/32 with 65535:666, 65535:65281; told to a; not told yet to b; until 2026-11-21T14:00:00.000Z; by uid 0, pid 1; (re\\x1bflection)',
    '2001:db8::7/128 with 65535:666, 65535:65281 via 100::1; nobody may be told; by uid 0, pid 1',
    '203.0.113.9/32 with 65535:666; told to a; because of flow4 { dst 203.0.113.9/32; } of detector',
    'of flow rules: 1 routes, 2 waiting, 3 refused (length)',
    '',
  ]);
});

test('none', () => {
  expect(renderBlackholes({ format_version: FORMAT_VERSION, announced: [], from_flows: [] })).toBe('no blackhole routes are announced\n');
});
