import { execFileSync } from 'node:child_process';
import { decodeRule, defineSet, familyNumber, NFT_MSG, NftClient, NftTransaction, nftType } from '@weir/netlink/nftables';
import { KernelError } from '@weir/netlink/socket';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

const T = { family: 'inet' as const, table: 't' };

let lab: Lab;
let host: Host;
let reader: NftClient;
let writer: NftClient;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('dump');
  reader = new NftClient({ netns: host.path });
  writer = new NftClient({ netns: host.path });
});

afterAll(async () => {
  reader?.close();
  writer?.close();
  await lab?.dispose();
});

describe('a listing that others disturb', () => {
  const request = { type: nftType(NFT_MSG.getRule), family: familyNumber('inet'), operation: 'list rules' };
  const rule = (comment: string) => ({ ...T, chain: 'c', expressions: [], comment });

  it('begins again, and then has everything exactly once', () => {
    const tx = new NftTransaction().addTable({ family: 'inet', name: 't' }).addChain({ ...T, name: 'c' });
    for (let i = 0; i < 3_000; i++) tx.addRule(rule(`r${i}`));
    writer.commitOrThrow(tx);
    let seen: string[] = [];
    const attempts: number[] = [];
    reader.connection.dump(request, {
      start: (attempt) => {
        attempts.push(attempt);
        seen = [];
      },
      message: (_header, _netfilter, r) => {
        seen.push(decodeRule('inet', r).comment ?? '');
        // In the middle of the first two attempts.
        if (seen.length === 500 && attempts.length <= 2) writer.commitOrThrow(new NftTransaction().addRule(rule(`late${attempts.length}`)));
      },
    });
    expect(attempts).toEqual([1, 2, 3]);
    expect(seen).toEqual([...Array.from({ length: 3_000 }, (_, i) => `r${i}`), 'late1', 'late2']);
  });

  it('gives up after as many attempts as it was allowed, and the connection is good for the next request', () => {
    let n = 0;
    const disturb = (): void =>
      reader.connection.dump(
        request,
        {
          message: () => {
            if (n++ % 1_000 === 500) writer.commitOrThrow(new NftTransaction().addRule(rule('again')));
          },
        },
        3,
      );
    expect(disturb).toThrow(KernelError);
    expect(disturb).toThrow(/EINTR/);
    expect(reader.rules(T).length).toBeGreaterThan(3_000);
  });
});

describe('a listing of elements under commits of another process', () => {
  it('has every element that stayed, whenever it says that it is consistent', async () => {
    await host.nft('flush ruleset');
    const count = 20_000;
    const set = defineSet({ ...T, name: 's', key: 'ipv4_addr' });
    const words = Uint32Array.from({ length: count }, (_, i) => 0x0a000000 + i);
    writer.commitOrThrow(
      new NftTransaction()
        .addTable({ family: 'inet', name: 't' })
        .addSet(set)
        .addElementColumns(set, { shape: 'single', keyLength: 4, words, count }),
    );
    const churn = host.spawn('sh', [
      '-c',
      'i=0; while [ $i -lt 400 ]; do nft add element inet t s "{ 192.0.2.$((i % 250)) }"; nft delete element inet t s "{ 192.0.2.$((i % 250)) }"; i=$((i + 1)); done',
    ]);
    const outcomes = new Set<boolean>();
    for (let i = 0; i < 30; i++) {
      const { columns, consistent, generation } = reader.elementColumns(set, 20);
      outcomes.add(consistent);
      if (!consistent) continue;
      const stayed = new Set<number>();
      for (let j = 0; j < columns.count; j++) if ((columns.words[j] ?? 0) >>> 24 === 10) stayed.add(columns.words[j] ?? 0);
      expect(stayed.size, `generation ${generation}`).toBe(count);
    }
    expect(outcomes.has(true)).toBe(true);
    await churn.close();
    expect(reader.elementColumns(set)).toMatchObject({ consistent: true, generation: reader.generation().id });
  });
});

describe('the example of the package', () => {
  it('runs and shows what it wrote', () => {
    const args = ['--conditions=source', '--import', 'tsx', 'packages/netlink/examples/allow-list.ts'];
    const out = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(out).toContain('committed\n');
    expect(out).toContain('again EEXIST 0\n');
    expect(out).toContain('tcp dport 80 ip saddr @allowed counter packets 0 bytes 0 accept comment "web"');
  });
});
