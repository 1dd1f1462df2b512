import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFailed, test } from 'vitest';
import { Model, type ModelSet, maximal } from '../e2e/history-model.ts';
import { kernelSet } from '../e2e/kernel-set.ts';
import { Random } from '../e2e/random.ts';
import { SpeakerPeer } from '../e2e/speaker-peer.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

/** WEIR_SEED repeats a history, WEIR_STEPS makes it longer. */
const seeds = process.env['WEIR_SEED'] === undefined ? [Date.now() % 1_000_000, 7] : [Number(process.env['WEIR_SEED'])];
const steps = Number(process.env['WEIR_STEPS'] ?? 70);

const peers = [
  { name: 'one', address: '198.51.100.131', as: 64513 },
  { name: 'two', address: '198.51.100.132', as: 64514 },
  { name: 'three', address: '198.51.100.133', as: 64515 },
];
const names = peers.map((peer) => peer.name);
const weirAddress = '198.51.100.129';

const communities = ['64512:80', '64512:53', '64512:666', '64512:99'];
const universe = [
  '203.0.113.0/24',
  '203.0.113.0/25',
  '203.0.113.128/25',
  '203.0.113.64/26',
  '203.0.113.64/27',
  ...Array.from({ length: 12 }, (_, i) => `203.0.113.${i * 21}/32`),
  '192.0.2.0/24',
  '192.0.2.7/32',
  '192.0.2.8/29',
  '2001:db8::/32',
  '2001:db8:1::/48',
  '2001:db8:1:2::/64',
  '2001:db8:1:2::1/128',
  '2001:db8:2::1/128',
  '2001:db8:2::2/128',
];

/** Guards that reloads change between. */
const coverings = [
  ['203.0.113.0/24', '2001:db8::/32'],
  ['203.0.113.0/25', '2001:db8:1::/48'],
  ['192.0.2.0/24', '203.0.113.64/26', '2001:db8:2::/48'],
];
const lengths: readonly ModelSet['lengths'][] = [
  { 4: [8, 32], 6: [16, 128] },
  { 4: [25, 32], 6: [48, 64] },
  { 4: [24, 26], 6: [32, 128] },
];
const hosts: ModelSet['lengths'] = { 4: [32, 32], 6: [128, 128] };

/** Where the members of a set are in the kernel: networks beside hosts in the owned table. */
const places = [
  { set: 'web', table: 'fw', family: 4, kernel: 'web4', part: 'all' },
  { set: 'web', table: 'fw', family: 6, kernel: 'web6', part: 'all' },
  { set: 'dns', table: 'fw', family: 4, kernel: 'dns4', part: 'hosts' },
  { set: 'dns', table: 'fw', family: 6, kernel: 'dns6', part: 'hosts' },
  { set: 'bad', table: 'weir', family: 4, kernel: 'bad_v4', part: 'hosts' },
  { set: 'bad', table: 'weir', family: 6, kernel: 'bad_v6', part: 'hosts' },
  { set: 'bad', table: 'weir', family: 4, kernel: 'bad_v4_net', part: 'networks' },
  { set: 'bad', table: 'weir', family: 6, kernel: 'bad_v6_net', part: 'networks' },
] as const;

const userTable = `table inet fw {
  set web4 { type ipv4_addr; flags interval; }
  set web6 { type ipv6_addr; flags interval; }
  set dns4 { type ipv4_addr; }
  set dns6 { type ipv6_addr; }
}`;

function randomSets(random: Random): readonly ModelSet[] {
  const some = random.some(names, 3, 4);
  const guard = { peers: some.length === 0 ? names : some, prefixes: random.pick(coverings) };
  return [
    { name: 'web', community: '64512:80', ...guard, lengths: random.pick(lengths), held: true },
    { name: 'dns', community: '64512:53', peers: names, prefixes: random.pick(coverings), lengths: hosts, held: false },
    { name: 'bad', community: '64512:666', peers: names, prefixes: random.pick(coverings), lengths: random.pick(lengths), held: false },
  ];
}

function configOf(sets: readonly ModelSet[]): string {
  const shown = sets.map((set) => {
    const range = (family: 4 | 6): string => `[${set.lengths[family].join(', ')}]`;
    const guard = `{ peers: [${set.peers.join(', ')}], prefixes: [${set.prefixes.map((one) => `"${one}"`).join(', ')}], lengths: { ipv4: ${range(4)}, ipv6: ${range(6)} } }`;
    const nft = set.name === 'bad' ? '' : `\n    nft: { table: fw, ipv4: ${set.name}4, ipv6: ${set.name}6 }`;
    return `  ${set.name}:
    kind: ${set.name === 'bad' ? 'deny' : 'allow'}
    communities: ["${set.community}"]
    guard: ${guard}
    on_session_loss: ${set.held ? 'hold forever' : 'withdraw'}${nft}`;
  });
  return `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
${peers.map(({ name, address, as }) => `    - { name: ${name}, address: ${address}, as: ${as} }`).join('\n')}
sets:
${shown.join('\n')}
firewall:
  borders:
    - { name: outside, from: [out0], to: [in0], deny: [bad], default: accept }
convergence: { settle: 200ms, settle_without_restart: 200ms, startup_hold: 10s }
`;
}

/** What the kernel should have, and what it has, place by place. */
async function compare(core: Host, model: Model): Promise<{ want: Record<string, string[]>; have: Record<string, string[]> }> {
  const want: Record<string, string[]> = {};
  const have: Record<string, string[]> = {};
  await Promise.all(
    places.map(async ({ set, table, family, kernel, part }) => {
      const definition = model.sets.find((one) => one.name === set)!;
      const members = [...model.members(definition, family)];
      const host = (prefix: string): boolean => prefix.endsWith(family === 4 ? '/32' : '/128');
      const kept = part === 'hosts' ? members.filter(host) : part === 'networks' ? members.filter((one) => !host(one)) : members;
      want[kernel] = [...(part === 'hosts' ? kept : maximal(kept))].sort();
      have[kernel] = [...(await kernelSet(core, table, kernel))].sort();
    }),
  );
  return { want, have };
}

describe('random histories of several peers', () => {
  test.each(seeds)('the kernel has what a naive model has, seed %i', { timeout: 240_000 }, async (seed) => {
    const random = new Random(seed);
    const lab = labForTest();
    const core = await lab.host('core');
    const outside = await lab.host('outside');
    await lab.link(
      { host: core, name: 'bgp0', addresses: [`${weirAddress}/28`] },
      { host: outside, name: 'bgp0', addresses: peers.map((peer) => `${peer.address}/28`) },
    );
    await core.nft(userTable);
    const speakers = new Map(
      peers.map(({ name, address, as }) => [
        name,
        new SpeakerPeer({ namespace: outside.path, address, as, weir: { address: weirAddress, as: 64512 } }),
      ]),
    );
    lab.onDispose(async () => void (await Promise.all([...speakers.values()].map((speaker) => speaker.stop()))));
    for (const speaker of speakers.values()) speaker.start();
    const model = new Model(names, randomSets(random));
    const weir = new Weir(lab, core, configOf(model.sets));
    await weir.start();

    const done: string[] = [];
    onTestFailed(
      () =>
        void process.stderr.write(`WEIR_SEED=${seed}, after ${done.length} steps:\n${done.slice(-40).join('\n')}\n${configOf(model.sets)}`),
    );

    const quiet = async (): Promise<void> => {
      for (const [name, speaker] of speakers) if (model.isUp(name)) await speaker.up();
      const agree = async (): Promise<boolean> => {
        const { want, have } = await compare(core, model);
        return (
          JSON.stringify(
            want,
            places.map((place) => place.kernel),
          ) ===
          JSON.stringify(
            have,
            places.map((place) => place.kernel),
          )
        );
      };
      const deadline = performance.now() + 15_000;
      while (!(await agree()) && performance.now() < deadline) await sleep(50);
      // Nothing that is still on its way may change it again.
      await sleep(300);
      const { want, have } = await compare(core, model);
      expect({ seed, step: done.length, ...have }).toEqual({ seed, step: done.length, ...want });
    };

    const act = async (): Promise<string> => {
      const name = random.pick(names);
      const speaker = speakers.get(name)!;
      const what = random.below(100);
      if (what < 45) {
        const prefixes = random.some(universe, 1, 5);
        const tags = random.some(communities, 1, 2);
        if (prefixes.length > 0) speaker.announce(prefixes, tags);
        for (const prefix of prefixes) model.announce(name, prefix, tags);
        return `${name} announces ${prefixes.join(' ')} with ${tags.join(' ')}`;
      }
      if (what < 70) {
        const prefixes = random.some(model.announced(name), 1, 3);
        speaker.withdraw(prefixes);
        for (const prefix of prefixes) model.withdraw(name, prefix);
        return `${name} withdraws ${prefixes.join(' ')}`;
      }
      if (what < 88) {
        // What was said last must have been heard, or the model knows more than Weir.
        await quiet();
        if (model.isUp(name)) {
          const silent = random.below(2) === 0;
          await speaker.stop({ silent });
          await waitFor('weir to notice', async () => {
            const shown = await weir.ask((client) => client.call('peers', {}));
            return shown?.peers.find((peer) => peer.name === name)?.state !== 'Established';
          });
          // A shutdown on purpose is a hard reset where graceful restart was agreed on.
          model.down(name, !silent);
          return `${name} goes down${silent ? ' without a word' : ''}`;
        }
        speaker.start();
        model.up(name);
        return `${name} comes up`;
      }
      if (what < 91 && model.isUp(name)) {
        speaker.reset();
        return `${name} resets the session`;
      }
      // What is held while a peer is away depends on what was asked for at every reload since: state/history.test.ts has that.
      for (const [other, one] of speakers) {
        if (model.isUp(other)) continue;
        one.start();
        model.up(other);
      }
      await quiet();
      if (what < 94) {
        await weir.kill();
        await weir.start();
        return 'weir is killed and started again';
      }
      model.sets = randomSets(random);
      weir.configure(configOf(model.sets));
      await weir.reload();
      return 'the configuration is reloaded with other guards';
    };

    while (done.length < steps) {
      for (let i = random.below(8); i >= 0; i--) done.push(await act());
      await quiet();
    }
  });
});
