import { afterEach, expect, test, vi } from 'vitest';
import { describeChanges, fixedKeys } from '../compile/changes/index.ts';
import { loadText } from '../sources/config/memory-files.ts';
import { explainFailure } from './failure.ts';
import { Notifier } from './notifier.ts';

afterEach(() => vi.useRealTimers());

test('the watchdog is fed three times in its period, from when the daemon is ready until it closes', () => {
  vi.useFakeTimers();
  const sent: string[] = [];
  const notifier = new Notifier((state) => sent.push(state), 30_000_000);
  vi.advanceTimersByTime(60_000);
  expect(sent).toEqual([]);
  notifier.ready('two\nlines');
  notifier.ready('again');
  expect(sent.splice(0)).toEqual(['READY=1\nSTATUS=two lines', 'READY=1\nSTATUS=again']);
  vi.advanceTimersByTime(30_000);
  expect(sent.splice(0)).toEqual(['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  notifier.reloading();
  expect(sent.splice(0)[0]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  notifier.close();
  vi.advanceTimersByTime(60_000);
  expect(sent).toEqual([]);
});

test('a service manager that cannot be told is reported and changes nothing', () => {
  const errors: Error[] = [];
  const notifier = Notifier.fromEnvironment({ NOTIFY_SOCKET: '/nonexistent/notify' }, (e) => errors.push(e));
  notifier.status('x');
  expect(errors.map((e) => e.message)).toEqual([expect.stringContaining('ENOENT')]);
  Notifier.fromEnvironment({}, (e) => errors.push(e)).ready('x');
  expect(errors.length).toBe(1);
});

test('failures: what is missing decides the exit code', () => {
  const failed = (code: string): Error => Object.assign(new Error(`socket: ${code}`), { code });
  const rows = [
    { input: failed('EPERM'), want: 4 },
    { input: failed('EPROTONOSUPPORT'), want: 4 },
    { input: failed('SOCKET_IN_USE'), want: 1 },
    { input: new Error('x'), want: 1 },
    { input: 'x', want: 1 },
  ];
  for (const { input, want } of rows) expect(explainFailure(input).code).toBe(want);
  expect(explainFailure(failed('EPERM')).message).toContain('CAP_NET_ADMIN');
});

test('changes between two files; moving lines is none', () => {
  const base = `bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512 }] }
sets:
  a: { kind: deny, communities: blackhole, nft: { table: fw, ipv4: a } }
firewall: { base: { loopback: true } }
`;
  const config = (text: string): NonNullable<ReturnType<typeof loadText>['config']> => loadText(text).config!;
  const from = config(base);
  expect(describeChanges(from, config(`# moved\n\n${base}`))).toEqual([]);
  const other = `${base.replace('64512, router', '64513, router').replace('core', 'edge').replace('loopback: true', 'loopback: false')}protected: [192.0.2.0/24]\nsocket: /x\n`;
  expect(describeChanges(from, config(other))).toEqual([
    'bgp.as 64512 -> 64513',
    'peer edge added',
    'peer core removed',
    'firewall changed',
    'protected',
  ]);
  expect(describeChanges(from, config(base.replace('blackhole', '"64512:1"')))).toEqual(['set a changed']);
  expect(describeChanges(from, config(base.replace(/firewall.*\n/, '')))).toEqual(['firewall removed']);
  expect(fixedKeys(from, config(other))).toEqual(['socket']);
  expect(fixedKeys(from, from)).toEqual([]);
});
