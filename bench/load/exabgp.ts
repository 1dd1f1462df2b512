import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabProcess } from '../../test/lab/index.ts';
import { type Bed, senderAddress, weirAddress } from './bed.ts';
import { LOCAL_AS, SENDER_AS } from './raw-sender.ts';

/** ExaBGP in the daemon's place, with the script that runs one nft for each prefix. */
export async function startExabgp(bed: Bed): Promise<LabProcess> {
  const file = join(bed.lab.directory('exabgp'), 'exabgp.conf');
  const script = join(import.meta.dirname, 'exabgp-nft.py');
  writeFileSync(
    file,
    `process sets { run /usr/bin/python3 -u ${script}; encoder json; }
neighbor ${senderAddress} {
  router-id 192.0.2.1;
  local-address ${weirAddress};
  local-as ${LOCAL_AS};
  peer-as ${SENDER_AS};
  family { ipv4 unicast; }
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
