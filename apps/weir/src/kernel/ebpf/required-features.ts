import type { Feature, FeatureName, FeatureReport, MapType } from '@weir/ebpf/kernel';
import type { CompiledHook } from '../../model/ebpf-program.ts';
import { MissingFeatureError } from './engine-error.ts';
import type { AttachPlace } from './pin-layout.ts';

/** Without these there is no hook at all. */
const ALWAYS: readonly FeatureName[] = [
  'linux-6.1',
  'cap-bpf',
  'cap-net-admin',
  'cap-perfmon',
  'map-array',
  'map-percpu-array',
  'map-hash',
  'map-prog-array',
  'bpffs',
];

const BY_KIND: Readonly<Record<AttachPlace['kind'], readonly FeatureName[]>> = {
  xdp: ['program-xdp', 'xdp-link'],
  tc: ['program-tc'],
  cgroup: ['program-cgroup-connect', 'cgroup2'],
};

/** @throws MissingFeatureError, which names what programs at a place cannot do without and the system lacks */
export function requireFeatures(report: FeatureReport, place: AttachPlace): void {
  const names = [...ALWAYS, ...BY_KIND[place.kind]];
  if (place.kind === 'tc' && !report.has('tcx')) names.push('clsact');
  if (place.kind === 'cgroup' && place.at.startsWith('sendmsg')) names.push('program-cgroup-sendmsg');
  const lacking = report.features.filter((one: Feature) => !one.present && names.includes(one.name));
  if (lacking.length > 0) throw new MissingFeatureError(PLACES[place.kind], lacking);
}

/** What a program calls, and the types of its maps, by the feature that says whether the kernel has them. */
const BY_SYMBOL: Readonly<Record<string, FeatureName>> = { bpf_xdp_ct_lookup: 'kfunc-xdp-ct', bpf_skb_ct_lookup: 'kfunc-skb-ct' };
const BY_MAP: Readonly<Partial<Record<MapType, FeatureName>>> = { lru_hash: 'map-lru-hash' };

/** @throws MissingFeatureError, which names what the programs of a hook ask for and the kernel lacks */
export function requireForPrograms(report: FeatureReport, hook: string, programs: Iterable<CompiledHook>): void {
  const needs = new Map<FeatureName, string>();
  for (const { program, maps } of programs) {
    for (const { kind, name } of program.symbols) {
      const feature = kind === 'kernel-function' ? BY_SYMBOL[name] : undefined;
      if (feature) needs.set(feature, 'the state of connections');
    }
    for (const { shape } of maps) {
      const feature = BY_MAP[shape.type];
      if (feature) needs.set(feature, 'a rate limit by address');
    }
  }
  const lacking = report.features.filter((one) => !one.present && needs.has(one.name));
  if (lacking.length === 0) return;
  const what = [...new Set(lacking.map(({ name }) => needs.get(name)))].join(' and ');
  throw new MissingFeatureError(`${what} at ${hook}`, lacking);
}

const PLACES: Readonly<Record<AttachPlace['kind'], string>> = { xdp: 'XDP', tc: 'tc', cgroup: 'judging connections' };
