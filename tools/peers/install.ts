import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { runCommand } from '../run/run-command.ts';
import { failure, type Outcome, success } from '../run/steps.ts';
import { type PeerPackage, peerPackages } from './packages.ts';

const policy = '/usr/sbin/policy-rc.d';

function missingPeers(): readonly PeerPackage[] {
  return peerPackages.filter((one) => !existsSync(one.program));
}

/**
 * Installs what is missing with apt-get and says so. While it runs a policy-rc.d forbids that any service is started, so that no
 * routing daemon appears in the machine's own namespace. Not Debian: one failure that names what is missing.
 */
export async function installPeers(print: (text: string) => void): Promise<Outcome> {
  const missing = missingPeers();
  if (missing.length === 0) return success();
  const names = missing.map((one) => one.name);
  if (!existsSync('/usr/bin/apt-get')) return failure(`missing, and there is no apt-get to install them: ${names.join(', ')}`);
  print(`installing what the tests need and this machine lacks: ${names.join(' ')}`);
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const options = ['-q', '-o', 'DPkg::Lock::Timeout=300'];
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const updated = await runCommand('apt-get', [...options, 'update'], 180_000, env);
    const installed = await runCommand('apt-get', [...options, 'install', '-y', '--no-install-recommends', ...names], 600_000, env);
    const still = missingPeers().map((one) => one.name);
    if (installed.code === 0 && still.length === 0) return success();
    return failure(`could not install: ${still.join(', ')}\n${updated.output}\n${installed.output}`);
  } finally {
    if (ownPolicy) rmSync(policy);
  }
}
