import type { DirectoryLock } from '@weir/sys';
import { ApiError, ConnectionError, ControlClient } from '../api/index.ts';
import type { ExitCode, ExpireOptions, Io } from '../cli/index.ts';
import { EXIT } from '../cli/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import type { Config } from '../model/config.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import { holdImages, restoreImage, restoreTenants, savedMembers } from '../reconcile/index.ts';
import { bootTime } from './boot-time.ts';
import { GenerationStore } from './generations/index.ts';
import { loadGeneration } from './load-daemon-config.ts';
import { putPrograms } from './put-programs.ts';
import { confirmedConfig, renewer } from './renewal.ts';
import { lockState } from './state-lock.ts';
import { withKeptFlows } from './with-kept-flows.ts';

/** The daemon itself is given so long to take a change back in time. */
const GRACE_MS = 1000;
const RETRY_MS = 5000;
/** Tries after the deadline: for an hour. */
const TRIES = 720;

/**
 * Sleeps until a change should have been confirmed, and takes it back when it was not: through the daemon where one answers, else by itself, by loading what was in force
 * before. Started beside every change that has to be confirmed, so that the death of the daemon does not make it permanent.
 */
export async function runExpire(options: ExpireOptions, io: Io, now: () => number = bootTime): Promise<ExitCode> {
  const end = options.due + GRACE_MS;
  for (let left = end - now(); left > 0; left = end - now()) {
    // In steps: a machine that slept wakes up to a time that has passed, and what was confirmed is waited for no longer.
    await sleep(Math.min(left, RETRY_MS));
    if (!waits(options)) return EXIT.ok;
  }
  for (let i = 0; i < TRIES && waits(options); i++) {
    try {
      await tellDaemon(options);
      return EXIT.ok;
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not-found') return EXIT.ok;
      if (error instanceof ConnectionError && error.nobody && waits(options) && takeBack(options, io)) return EXIT.ok;
    }
    await sleep(RETRY_MS);
  }
  return waits(options) ? EXIT.error : EXIT.ok;
}

function waits({ stateDirectory, generation }: ExpireOptions): boolean {
  return GenerationStore.open(stateDirectory).index.pending?.generation === generation;
}

async function tellDaemon({ socket, generation }: ExpireOptions): Promise<void> {
  const client = await ControlClient.connect(socket);
  try {
    await client.call('rollback', { unconfirmed: generation });
  } finally {
    client.close();
  }
}

/** Without a daemon: the kernel first, then the record, so that whatever fails in between is tried again. */
function takeBack({ stateDirectory, socket, netns, generation }: ExpireOptions, io: Io): boolean {
  let lock: DirectoryLock | undefined;
  try {
    // A daemon that has the state without answering here (another socket, or it is starting) has to take it back itself.
    const say = (text: string): void => io.err(`weir: ${text}\n`);
    lock = lockState(stateDirectory, say);
    const overrides = { socket, stateDirectory, netns };
    let last: Config | undefined;
    const confirmed = (): Config | undefined => {
      last = confirmedConfig(stateDirectory, overrides);
      return last;
    };
    const renew = renewer(confirmed, Date.now(), say);
    const backend = new NftBackend({ netns });
    let refused: boolean;
    try {
      const report = restoreImage(backend, stateDirectory, renew(), withKeptFlows(stateDirectory, last, say));
      if (report?.fault !== undefined) throw new Error(report.fault);
      refused = (report?.problems ?? []).some(isRefusal);
    } finally {
      backend.close();
    }
    const tenants = restoreTenants(stateDirectory, (namespace) => new NftBackend({ netns: namespace }), { clear: true, renew });
    for (const one of tenants) if (one.kind === 'failed') io.err(`weir: tenant ${one.name}: ${String(one.error)}\n`);
    refused ||= tenants.some((one) => one.kind === 'failed' || (one.kind === 'restored' && one.report.problems.some(isRefusal)));
    const store = GenerationStore.open(stateDirectory);
    const before = store.index.pending && store.find(store.index.pending.previous);
    const config = before && loadGeneration(before.file, store.texts(before.number), overrides).config;
    // Another process has the pins where a daemon has started meanwhile.
    if (config) refused ||= putPrograms(config, savedMembers(stateDirectory)).problems.some(isRefusal);
    if (refused) return false;
    // A daemon that has started meanwhile has done it itself.
    if (store.index.pending?.generation !== generation) return true;
    store.takeBack();
    holdImages(stateDirectory, false);
    return true;
  } catch (error) {
    io.err(`weir: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    lock?.close();
  }
}

function isRefusal({ kind }: KernelProblem): boolean {
  return kind === 'not-permitted' || kind === 'refused';
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
