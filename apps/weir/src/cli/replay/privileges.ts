import { readFileSync } from 'node:fs';

/** By number (capabilities(7)): what making a namespace and sending frames in it takes. */
const NEEDED: readonly (readonly [string, bigint])[] = [
  ['CAP_NET_ADMIN', 12n],
  ['CAP_NET_RAW', 13n],
  ['CAP_SYS_ADMIN', 21n],
];

/** What this process may not do of what it takes to send packets through the kernel. */
export function missingCapabilities(status: string = readFileSync('/proc/self/status', 'utf8')): readonly string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return NEEDED.filter(([, bit]) => ((effective >> bit) & 1n) === 0n).map(([name]) => name);
}
