import type { Feature, FeatureName, FeatureReport } from '@weir/ebpf/kernel';
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

const PLACES: Readonly<Record<AttachPlace['kind'], string>> = { xdp: 'XDP', tc: 'tc', cgroup: 'judging connections' };
