import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { runCommand } from '../lab/index.ts';
import { addresses as at, community } from './addresses.ts';
import { example } from './routers.ts';

const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;

describe('examples', () => {
  test.each(readdirSync(example('weir')))('weir/%s has no mistake', async (file) => {
    const { stdout, stderr } = await runCommand(process.execPath, [program, 'check', example(`weir/${file}`)]);
    expect(`${stdout}${stderr}`).not.toMatch(/error|warning/);
  });

  // There is no Kubernetes here: the manifests are read as YAML, and what must agree with the other examples is compared. Nothing applies them.
  test('the manifests for Cilium are YAML and say what the other examples say', () => {
    const read = (file: string): Record<string, unknown>[] =>
      parseAllDocuments(readFileSync(example(`cilium/${file}`), 'utf8')).map((document) => {
        expect(document.errors).toEqual([]);
        return document.toJS() as Record<string, unknown>;
      });
    const objects = [...read('bgp.yaml'), ...read('service.yaml')];
    for (const object of objects) expect(object).toMatchObject({ apiVersion: expect.any(String), metadata: { name: expect.any(String) } });
    const [cluster, peer, advertisement, pool, service] = objects;
    expect(objects.map((object) => object['kind'])).toEqual([
      'CiliumBGPClusterConfig',
      'CiliumBGPPeerConfig',
      'CiliumBGPAdvertisement',
      'CiliumLoadBalancerIPPool',
      'Service',
    ]);
    expect(cluster).toMatchObject({
      spec: {
        bgpInstances: [{ localASN: 64513, peers: [{ peerASN: 64512, peerAddress: at.edge.v4, peerConfigRef: (peer as Named).metadata }] }],
      },
    });
    const labels = (advertisement as Named).metadata.labels;
    expect(peer).toMatchObject({ spec: { families: ['ipv4', 'ipv6'].map((afi) => ({ afi, advertisements: { matchLabels: labels } })) } });
    const chosen = (service as Named).metadata.labels;
    expect(advertisement).toMatchObject({
      spec: { advertisements: [{ selector: { matchLabels: chosen }, attributes: { communities: { standard: [community] } } }] },
    });
    expect(pool).toMatchObject({
      spec: { blocks: [{ cidr: at.services.v4 }, { cidr: expect.any(String) }], serviceSelector: { matchLabels: chosen } },
    });
  });
});

interface Named {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}
