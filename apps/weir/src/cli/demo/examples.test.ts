import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../sources/config/index.ts';
import { at, CLUSTER_AS, COMMUNITY, CORE_AS } from './topology.ts';

function example(name: string): string {
  return fileURLToPath(new URL(`../../../../../examples/${name}`, import.meta.url));
}

describe('examples', () => {
  test.each(readdirSync(example('weir')))('weir/%s has no mistake', (file) => {
    const { config, diagnostics } = loadConfig(example(`weir/${file}`));
    expect(diagnostics).toEqual([]);
    expect(config?.bgp.as).toBe(CORE_AS);
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
        bgpInstances: [
          { localASN: CLUSTER_AS, peers: [{ peerASN: CORE_AS, peerAddress: at.edge.v4, peerConfigRef: named(peer).metadata }] },
        ],
      },
    });
    const labels = named(advertisement).metadata.labels;
    expect(peer).toMatchObject({ spec: { families: ['ipv4', 'ipv6'].map((afi) => ({ afi, advertisements: { matchLabels: labels } })) } });
    const chosen = named(service).metadata.labels;
    expect(advertisement).toMatchObject({
      spec: { advertisements: [{ selector: { matchLabels: chosen }, attributes: { communities: { standard: [COMMUNITY] } } }] },
    });
    expect(pool).toMatchObject({
      spec: { blocks: [{ cidr: at.services.v4 }, { cidr: expect.any(String) }], serviceSelector: { matchLabels: chosen } },
    });
  });
});

interface Named {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

function named(object: Record<string, unknown> | undefined): Named {
  return object as unknown as Named;
}
