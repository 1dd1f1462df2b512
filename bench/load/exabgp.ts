import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabProcess } from '../../test/lab/index.ts';
import type { Row } from '../bench.ts';
import { type Bed, senderAddress, weirAddress } from './bed.ts';
import { LOCAL_AS, SENDER_AS } from './raw-sender.ts';
import { figure } from './samples.ts';

/** What one script of ours is told of, and what it runs for each: `nft` for a prefix, `iptables` for a flow rule. */
const SCRIPTS = {
  prefixes: { script: 'exabgp-nft.py', families: 'ipv4 unicast;' },
  flows: { script: 'exabgp-iptables.py', families: 'ipv4 unicast; ipv4 flow;' },
} as const;

/** ExaBGP in the daemon's place, with a script that runs one command for each prefix or flow rule. */
export async function startExabgp(bed: Pick<Bed, 'lab' | 'core' | 'sender'>, what: keyof typeof SCRIPTS = 'prefixes'): Promise<LabProcess> {
  const file = join(bed.lab.directory('exabgp'), 'exabgp.conf');
  const { families } = SCRIPTS[what];
  const script = join(import.meta.dirname, SCRIPTS[what].script);
  writeFileSync(
    file,
    `process sets { run /usr/bin/python3 -u ${script}; encoder json; }
neighbor ${senderAddress} {
  router-id 192.0.2.1;
  local-address ${weirAddress};
  local-as ${LOCAL_AS};
  peer-as ${SENDER_AS};
  family { ${families} }
  api { processes [ sets ]; receive { parsed; update; } }
}
`,
  );
  const up = bed.sender.next();
  const started = bed.core.spawn('exabgp', [file], {
    name: 'exabgp',
    env: {
      'exabgp.daemon.user': 'root',
      'exabgp.daemon.drop': 'false',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.log.destination': 'stdout',
      'exabgp.log.level': 'NOTICE',
    },
  });
  await up;
  return started;
}

/** How long it took ExaBGP, beside Weir; undefined where it, or the program that its script runs, is not installed. */
export function exabgpColumns(exabgp: readonly number[] | undefined, weir: readonly number[], program: string): Row {
  if (!exabgp) return { peer: `exabgp or ${program} is not installed` };
  const p50 = figure(exabgp, 0.5);
  return {
    'exabgp p50 ms': p50,
    'exabgp p99 ms': figure(exabgp, 0.99),
    ratio: Number((p50 / figure(weir, 0.5)).toFixed(1)),
  };
}
