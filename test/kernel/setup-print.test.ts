import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printSetup } from '../../apps/weir/src/compile/nft/print.ts';
import { compileKernelPlan } from '../../apps/weir/src/compile/nft/targets.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import { Reconciler } from '../../apps/weir/src/reconcile/reconciler.ts';
import { loadConfig } from '../../apps/weir/src/sources/config/index.ts';
import { type Host, Lab } from '../lab/index.ts';

const head = `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - { name: core, address: 192.0.2.2, as: 64512 }
    - { name: core6, address: "2001:db8::2", as: 64513, port: 1179 }
sets:
  web:
    kind: allow
    communities: ["64512:80"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], peers: [core], max_members: 100000 }
    on_session_loss: hold 2m
  bad:
    kind: deny
    communities: ["64512:666"]
firewall:
  table: weir_fw
`;
const ENTRIES = ['loopback', 'established', 'neighbour_discovery', 'multicast_listener', 'path_mtu', 'dhcp_client', 'bgp_peers'];
const local =
  '    - { name: host, from: [eth0, "ppp*"], to: local, deny: bad, allow: [{ set: web, protocol: tcp, ports: [22, "8000-8010"] }] }\n';
const rows = [
  {
    name: 'a border between two sides',
    firewall: `  borders:
    - { name: uplink, from: [eth0], to: [wg0, "br*"], deny: bad, allow: [{ set: web, protocol: tcp, ports: [80, 443] }, { set: web, protocol: udp, ports: 53 }, { set: web, protocol: icmp }] }
`,
  },
  { name: 'a border that lets through', firewall: '  borders:\n    - { name: open, from: eth0, to: eth1, deny: bad, default: accept }\n' },
  { name: 'this host', firewall: `  borders:\n${local}` },
  ...ENTRIES.map((entry) => ({ name: `this host without ${entry}`, firewall: `  base: { ${entry}: false }\n  borders:\n${local}` })),
];

let lab: Lab;
let byNft: Host;
let byWeir: Host;
let directory: string;

beforeAll(async () => {
  lab = new Lab();
  byNft = await lab.host('nft');
  byWeir = await lab.host('weir');
  directory = mkdtempSync(join(tmpdir(), 'weir-print-'));
});
afterAll(async () => {
  await lab.dispose();
  rmSync(directory, { recursive: true, force: true });
});

describe('what `weir setup --print` prints, loaded by nft, is what Weir writes itself', () => {
  it.each(rows)('$name', async ({ firewall }) => {
    const path = join(directory, 'weir.yaml');
    writeFileSync(path, head + firewall);
    const { config, diagnostics } = loadConfig(path);
    expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    const plan = compileKernelPlan(config!, 0);
    await byNft.nft('flush ruleset');
    await byWeir.nft('flush ruleset');
    await byNft.nft(printSetup(plan));
    // Without an owner, which a script cannot give.
    const backend = new NftBackend({ netns: byWeir.path, ownership: false });
    const reconciler = new Reconciler({
      backend,
      stateDirectory: mkdtempSync(join(directory, 'state-')),
      emit: () => undefined,
      now: () => performance.now(),
    });
    try {
      reconciler.configure(plan);
      expect(reconciler.status().problems).toEqual([]);
      const text = await byWeir.nftList();
      expect(text).toContain('comment "written by weir"');
      expect(text).toBe(await byNft.nftList());
      // Twice is the same as once.
      await byNft.nft(printSetup(plan));
      expect(await byNft.nftList()).toBe(text);
    } finally {
      reconciler.close();
    }
  });

  it("the user's sets", async () => {
    const path = join(directory, 'user.yaml');
    writeFileSync(
      path,
      head
        .replace(/firewall:[\s\S]*/, '')
        .replace('  bad:', '    nft: { table: core_fw, ipv4: web4, ipv6: web6 }\n  bad:')
        .concat('    nft: { family: ip, table: other, ipv4: bad4 }\n'),
    );
    const { config, diagnostics } = loadConfig(path);
    expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    await byNft.nft('flush ruleset');
    await byNft.nft(printSetup(compileKernelPlan(config!, 0)));
    const sets = (await byNft.nftJson('sets')).filter((o) => 'set' in o).map((o) => o['set']!);
    expect(sets.map((s) => [s['family'], s['table'], s['name'], s['type'], s['flags']])).toEqual([
      ['inet', 'core_fw', 'web4', 'ipv4_addr', ['interval']],
      ['inet', 'core_fw', 'web6', 'ipv6_addr', ['interval']],
      ['ip', 'other', 'bad4', 'ipv4_addr', ['interval']],
    ]);
  });
});
