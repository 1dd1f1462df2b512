import { describe, expect, it } from 'vitest';
import type { FeedSummary } from '../../api/index.ts';
import { palette } from '../render/paint.ts';
import { renderFeed } from './feed.ts';

const NOW = Date.parse('2026-01-01T02:00:00Z');
const FEED: FeedSummary = {
  feed: 'drop',
  table: 'spammers',
  from: 'https://lists.example.net/drop.txt?...',
  members: 40,
  listed: 41,
  entries: 42,
  left_out: { protected: 1, 'not-a-prefix': 1 },
  examples: [
    { reason: 'protected', text: '192.0.2.0/24' },
    { line: 7, reason: 'not-a-prefix', text: 'x\u001b[31m' },
  ],
  success: '2026-01-01T01:00:00Z',
  next: '2026-01-01T03:00:00Z',
  running: false,
};

describe('a feed as a person reads it', () => {
  it.each([
    {
      name: 'as its list is',
      feed: FEED,
      want: [
        'drop  https://lists.example.net/drop.txt?... -> table spammers',
        '  40 networks; the last list 1h ago had 42 lines; left out: 1 protected, 1 not-a-prefix',
        '    protected: 192.0.2.0/24',
        '    line 7: not-a-prefix: x\\x1b[31m',
        '  next at 2026-01-01T03:00:00Z',
      ],
    },
    {
      name: 'whose list was not taken, and is got now',
      feed: {
        ...FEED,
        left_out: {},
        examples: [],
        next: undefined,
        running: true,
        failure: { at: '2026-01-01T01:59:00Z', code: 'shrink', message: 'less' },
      },
      want: [
        'drop  https://lists.example.net/drop.txt?... -> table spammers',
        '  40 networks; the last list 1h ago had 42 lines',
        '  refused 1m ago (shrink): less',
        '  being fetched now',
      ],
    },
    {
      name: 'that had none yet',
      feed: { ...FEED, members: 0, left_out: {}, examples: [], success: undefined },
      want: [
        'drop  https://lists.example.net/drop.txt?... -> table spammers',
        '  0 networks; no list was taken yet',
        '  next at 2026-01-01T03:00:00Z',
      ],
    },
  ])('$name', ({ feed, want }) => {
    expect(renderFeed(feed as FeedSummary, palette('never', false, {}), NOW)).toBe(want.map((line) => `${line}\n`).join(''));
  });
});
