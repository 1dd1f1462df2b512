import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FEATURES, findNftMatch, listPrograms, PinDirectory, probeFeatures } from '@weir/ebpf/kernel';
import { bpfMatch, NftClient, NftTransaction, readBpfMatch } from '@weir/netlink/nftables';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab, runCommand } from '../lab/index.ts';
import { keep, load, returning } from './ebpf-bed.ts';

let mounted: string;
let pins: PinDirectory;
let lab: Lab;
let host: Host;
let client: NftClient;

beforeAll(async () => {
  mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  pins = PinDirectory.open(join(mounted, 'weir'));
  lab = new Lab();
  host = await lab.host('match');
  client = new NftClient({ netns: host.path });
});
afterAll(async () => {
  client?.close();
  await lab?.dispose();
  await runCommand('umount', [mounted]);
  rmdirSync(mounted);
});

describe('whether the kernel has it', () => {
  it('is asked of the kernel, which says so of what it has not', () => {
    expect([findNftMatch(), findNftMatch(host.path)]).toEqual([undefined, undefined]);
    expect(findNftMatch(host.path, 'weir_none')).toMatch(/^this kernel has no match weir_none for nf_tables .*: ENOENT$/);
  });

  it('is among the features, with what is done without it', () => {
    expect(probeFeatures().has('nft-match-bpf')).toBe(true);
    expect(probeFeatures({ without: ['nft-match-bpf'] }).features.find(({ name }) => name === 'nft-match-bpf')).toEqual({
      name: 'nft-match-bpf',
      present: false,
      reason: 'it is switched off',
      instead: FEATURES['nft-match-bpf'],
    });
  });
});

describe('match bpf in the kernel', () => {
  it.each(['ip', 'inet'] as const)('in a table of the family %s is read back as it was written, and nft lists it', async (family) => {
    const program = keep(load({ name: 'weir_match', type: 'socket_filter' }, returning(1)));
    pins.pin(program, 'one');
    await host.nft(`flush ruleset\ntable ${family} t { chain c { type filter hook output priority 0; }; }`);
    const match = bpfMatch({ kind: 'pinned', path: `${pins.path}/one` });
    client.commitOrThrow(new NftTransaction().addRule({ family, table: 't', chain: 'c', expressions: [match] }));
    const [rule] = client.rules({ family, table: 't', chain: 'c' });
    expect(rule?.expressions).toEqual([match]);
    expect(rule?.expressions.map(readBpfMatch)).toEqual([{ kind: 'pinned', path: `${pins.path}/one` }]);
    expect((await host.exec('nft', ['list', 'ruleset'])).stdout).toContain('xt match bpf');
  });

  it('the rule keeps the program when the pin is gone and no descriptor is left', async () => {
    const program = load({ name: 'weir_match', type: 'socket_filter' }, returning(1));
    const { id } = program.info();
    pins.pin(program, 'kept');
    await host.nft('flush ruleset\ntable inet t { chain c { type filter hook output priority 0; }; }');
    const rule = {
      family: 'inet',
      table: 't',
      chain: 'c',
      expressions: [bpfMatch({ kind: 'pinned', path: `${pins.path}/kept` })],
    } as const;
    client.commitOrThrow(new NftTransaction().addRule(rule));
    pins.unpin('kept');
    program.close();
    expect(listPrograms().some((one) => one.id === id)).toBe(true);
    // Without a pin it cannot be asked for again.
    expect(client.commit(new NftTransaction().addRule(rule)).kind).toBe('refused');
  });

  it('takes a descriptor of the caller where there is nothing to pin at', async () => {
    const program = keep(load({ name: 'weir_match', type: 'socket_filter' }, returning(0)));
    await host.nft('flush ruleset\ntable inet t { chain c { type filter hook output priority 0; }; }');
    client.commitOrThrow(
      new NftTransaction().addRule({
        family: 'inet',
        table: 't',
        chain: 'c',
        expressions: [bpfMatch({ kind: 'descriptor', fd: program.fd })],
      }),
    );
    expect(client.rules({ family: 'inet', table: 't', chain: 'c' })).toHaveLength(1);
  });

  it('a program of another type is refused', async () => {
    const program = keep(load({ name: 'weir_match', type: 'xdp' }, returning(2)));
    pins.pin(program, 'xdp');
    await host.nft('flush ruleset\ntable inet t { chain c { type filter hook output priority 0; }; }');
    const rule = { family: 'inet', table: 't', chain: 'c', expressions: [bpfMatch({ kind: 'pinned', path: `${pins.path}/xdp` })] } as const;
    expect(client.commit(new NftTransaction().addRule(rule))).toMatchObject({ kind: 'refused', errors: [{ code: 'EINVAL' }] });
  });
});
