// A table with a set, a chain and a rule, written in one transaction and read back. Run as root:
//   node --conditions=source --import tsx packages/netlink/examples/allow-list.ts
// It works in a network namespace of its own, which it removes again.
import { execFileSync } from 'node:child_process';
import { defineSet, type Expression, NftClient, NftTransaction } from '@weir/netlink/nftables';
import { prefix, printIp } from '@weir/wire/inet';

const netns = `netlink-example-${process.pid}`;
execFileSync('ip', ['netns', 'add', netns]);
try {
  const client = new NftClient({ netns });
  const table = { family: 'inet', table: 'example' } as const;
  const hosts = defineSet({ ...table, name: 'allowed', key: 'ipv4_addr', size: 1_000, comment: 'who may connect' });

  // tcp dport 80 ip saddr @allowed counter accept
  const rule: readonly Expression[] = [
    { kind: 'meta', key: 'l4proto', dreg: 1 },
    { kind: 'cmp', sreg: 1, op: 'eq', data: Uint8Array.of(6) },
    { kind: 'payload', base: 'transport', offset: 2, length: 2, dreg: 1 },
    { kind: 'cmp', sreg: 1, op: 'eq', data: Uint8Array.of(0, 80) },
    { kind: 'meta', key: 'nfproto', dreg: 1 },
    { kind: 'cmp', sreg: 1, op: 'eq', data: Uint8Array.of(2) },
    { kind: 'payload', base: 'network', offset: 12, length: 4, dreg: 1 },
    { kind: 'lookup', set: hosts.name, sreg: 1 },
    { kind: 'counter', packets: 0n, bytes: 0n },
    { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'accept' } } },
  ];
  const words = Uint32Array.from(['192.0.2.1', '192.0.2.7', '198.51.100.3'], (text) => prefix(text).w0);

  const result = client.commit(
    new NftTransaction<string>()
      .addTable({ family: 'inet', name: 'example' })
      .addSet(hosts)
      .addElementColumns(hosts, { shape: 'single', keyLength: 4, words, count: words.length }, { exclusive: true, tag: 'the hosts' })
      .addChain({ ...table, name: 'input', base: { type: 'filter', hook: 'input', priority: 0, policy: 'drop' } })
      .addRule({ ...table, chain: 'input', expressions: rule, comment: 'web' }, { tag: 'the rule' }),
  );
  console.log(result.kind);
  if (result.kind === 'refused') for (const error of result.errors) console.log(error.tag, error.message);

  for (const one of client.rules(table)) console.log(one.handle, one.comment, one.expressions.map((step) => step.kind).join(' '));
  const { columns } = client.elementColumns(hosts);
  for (let i = 0; i < columns.count; i++) console.log(printIp({ family: 4, w0: columns.words[i] ?? 0, w1: 0, w2: 0, w3: 0 }));

  // The same again is refused, and says which element of which message it was.
  const again = client.commit(
    new NftTransaction<string>().addElements(hosts, [{ key: Uint8Array.of(192, 0, 2, 7) }], { exclusive: true, tag: 'again' }),
  );
  if (again.kind === 'refused') for (const error of again.errors) console.log(error.tag, error.code, error.item);

  console.log(execFileSync('ip', ['netns', 'exec', netns, 'nft', 'list', 'ruleset'], { encoding: 'utf8' }));
  client.close();
} finally {
  execFileSync('ip', ['netns', 'delete', netns]);
}
