import type { Config } from '../model/config.ts';
import type { Tenant } from '../model/tenant.ts';
import { namespaceKey, type Texts } from '../sources/config/index.ts';
import type { GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

/** Generations that are looked through for a tenant as it was. */
const MAX_LOOKS = 20;

/** Tenants with mistakes as the first of earlier configurations has them without: a mistake of one tenant changes nothing for it, and nothing else. */
export function keepFaulty(loaded: DaemonConfig, earlier: Iterable<Config>): DaemonConfig {
  const { config } = loaded;
  if (!config) return loaded;
  const present = new Set(config.tenants.map(({ name }) => name));
  const taken = new Set([config, ...config.tenants].flatMap(({ netns }) => (netns === undefined ? [] : [namespaceKey(netns)])));
  const wanted = new Set(config.faultyTenants.map(({ name }) => name).filter((name) => !present.has(name)));
  if (wanted.size === 0) return loaded;
  const kept: Tenant[] = [];
  for (const { tenants } of earlier) {
    for (const tenant of tenants) {
      if (!wanted.delete(tenant.name) || taken.has(namespaceKey(tenant.netns))) continue;
      taken.add(namespaceKey(tenant.netns));
      kept.push(tenant);
    }
    if (wanted.size === 0) break;
  }
  return { ...loaded, config: { ...config, tenants: [...config.tenants, ...kept] } };
}

/** The configurations of generations, the latest first; with a digest only those before that one. What cannot be read any more is passed over. */
export function* earlierConfigs(
  store: GenerationStore,
  readTexts: (file: string, texts: Texts) => DaemonConfig,
  before?: string,
): Generator<Config, void, undefined> {
  const { records } = store.index;
  const own = before === undefined ? undefined : records.findLast((record) => record.digest === before)?.number;
  const looked = records.filter((record) => own === undefined || record.number < own).slice(-MAX_LOOKS);
  for (const record of looked.reverse()) {
    let texts: Texts;
    try {
      texts = store.texts(record.number);
    } catch (error) {
      if (error instanceof Error) continue;
      throw error;
    }
    const { config } = readTexts(record.file, texts);
    if (config) yield config;
  }
}
