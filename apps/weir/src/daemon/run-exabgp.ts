import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type ExabgpOptions, type ExitCode, handOver, type Io } from '../cli/index.ts';
import { loadConfig } from '../sources/config/index.ts';
import { ExabgpInput } from './exabgp-input.ts';
import { type RunParts, runDaemon } from './run.ts';

/** Bit of CAP_NET_ADMIN in the masks of /proc. */
const CAP_NET_ADMIN = 12n;
/** ExaBGP ends when a process of its own ends more than five times within about a minute: one that cannot work stays for so long. */
const LINGER_MS = 20_000;
const DEFAULT_SOCKET = '/run/weir/exabgp.sock';

/**
 * `weir exabgp`, until ExaBGP ends or SIGTERM comes. With the privilege for it this is the whole daemon; without it, or where a socket is named, another daemon
 * gets the lines.
 */
export async function runExabgp(options: ExabgpOptions, io: Io, parts: () => Promise<RunParts>): Promise<ExitCode> {
  if (options.attached || !mayFilter()) return handOver(options.socket ?? socketOf(options.config), io);
  const input = new ExabgpInput();
  try {
    const code = await runDaemon({ ...options, clear: false }, io, {
      ...(await parts()),
      hear: (speaker) => input.attach(speaker),
      ended: input.ended,
    });
    if (code === EXIT.ok) return code;
    input.discard();
    const asked = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
    await Promise.race([input.ended, asked, sleep(LINGER_MS)]);
    return code;
  } finally {
    await input.close();
  }
}

/** Whether this process may change nf_tables. */
function mayFilter(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

/** Where the configuration has the lines handed over; a configuration that cannot be read says nothing. */
function socketOf(file: string): string {
  return loadConfig(file).usable?.exabgp?.socket ?? DEFAULT_SOCKET;
}
