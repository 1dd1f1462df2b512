/** What Weir can use of a kernel, each with what is done without it. The order is that of `weir status --features`. */
export const FEATURES = {
  'linux-6.1': 'nothing of eBPF is used',
  'cap-bpf': 'nothing of eBPF is used',
  'cap-net-admin': 'nothing is attached',
  'cap-perfmon': 'nothing of eBPF is used: the verifier refuses arithmetic on packet pointers',
  'cap-sys-admin': 'only what is pinned is found again; namespaces of tenants cannot be entered',
  jit: 'programs are interpreted, several times slower',
  bpffs: 'programs do not outlive the process',
  btf: 'no kernel functions: programs keep no connection state',
  'map-array': 'nothing of eBPF is used',
  'map-array-mmapable': 'tables are written by system calls',
  'map-percpu-array': 'nothing of eBPF is used',
  'map-hash': 'nothing of eBPF is used',
  'map-lru-hash': 'no rate limits for each source or destination',
  'map-lpm-trie': 'prefixes are kept in array maps alone',
  'map-prog-array': 'a change attaches a new program instead of switching to it',
  'map-of-maps': 'a change loads a new program',
  'map-ringbuf': 'no verdict events; counters only',
  'program-xdp': 'no rules at XDP',
  'program-tc': 'no rules at tc',
  'program-socket-filter': 'no `match bpf` inside nf_tables',
  'nft-match-bpf': 'rules at netfilter hooks that take a program are refused, and long lists of addresses are sets of nf_tables',
  'program-cgroup-connect': 'no rules at connect',
  'program-cgroup-sendmsg': 'datagrams of unconnected sockets are not judged',
  'program-netfilter': 'rules at netfilter hooks stay with nf_tables',
  'xdp-link': 'no rules at XDP',
  tcx: 'tc programs are attached by clsact',
  clsact: 'tc programs are attached by tcx alone',
  'netfilter-link': 'rules at netfilter hooks stay with nf_tables',
  cgroup2: 'no rules at connect',
  'live-frames': 'no traffic for measurements',
  'isa-v4': 'long jumps go by relays; byte swaps and signed loads take more instructions',
  'may-goto': 'loops are unrolled within their bounds',
  'helper-loop': 'loops are unrolled within their bounds',
  'helper-ktime-coarse': 'time is read exactly, which costs more',
  'helper-skb-cgroup-id': 'events at tc carry no cgroup',
  'kfunc-xdp-ct': 'XDP keeps no connection state',
  'kfunc-skb-ct': 'tc keeps no connection state',
  'run-statistics': 'the run time of programs is not shown',
} as const;

export type FeatureName = keyof typeof FEATURES;

/** Whether a feature is there; `reason` says why not, `instead` what is done without it. */
export type Feature =
  | { readonly name: FeatureName; readonly present: true }
  | { readonly name: FeatureName; readonly present: false; readonly reason: string; readonly instead: string };

/** Without these nothing works. */
const REQUIRED: readonly FeatureName[] = [
  'linux-6.1',
  'cap-bpf',
  'cap-net-admin',
  'cap-perfmon',
  'map-array',
  'map-percpu-array',
  'map-hash',
];

/** What was found out about a kernel and this process's rights on it. */
export class FeatureReport {
  readonly features: readonly Feature[];
  readonly #present: ReadonlySet<FeatureName>;

  constructor(features: readonly Feature[]) {
    this.features = features;
    this.#present = new Set(features.filter((one) => one.present).map((one) => one.name));
  }

  has(name: FeatureName): boolean {
    return this.#present.has(name);
  }

  /** Why a feature is missing; undefined when it is there. */
  reason(name: FeatureName): string | undefined {
    const found = this.features.find((one) => one.name === name);
    return found?.present === false ? found.reason : undefined;
  }

  /** Features without which there is no eBPF at all and which are missing. */
  get missingRequired(): readonly FeatureName[] {
    return REQUIRED.filter((name) => !this.has(name));
  }
}

/**
 * Runs the probes: each returns why its feature is missing, or undefined. Those of `without` are not asked: they count as missing. What a probe throws is the reason.
 */
export function reportFeatures(
  probes: Readonly<Record<FeatureName, () => string | undefined>>,
  without: readonly FeatureName[] = [],
): FeatureReport {
  const names = Object.keys(FEATURES) as readonly FeatureName[];
  return new FeatureReport(
    names.map((name): Feature => {
      const reason = without.includes(name) ? 'it is switched off' : answer(probes[name]);
      return reason === undefined ? { name, present: true } : { name, present: false, reason, instead: FEATURES[name] };
    }),
  );
}

function answer(probe: () => string | undefined): string | undefined {
  try {
    return probe();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
