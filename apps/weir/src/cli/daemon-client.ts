import { existsSync } from 'node:fs';
import { ApiError } from '../api/backend.ts';
import { ConnectionError, ControlClient } from '../api/client.ts';
import { CliError, EXIT } from './exit.ts';
import { DEFAULT_CONFIG, DEFAULT_SOCKET } from './paths.ts';

/** Where the daemon is looked for. */
export interface DaemonOptions {
  readonly socket: string | undefined;
  readonly config: string | undefined;
}

/** Flag or WEIR_SOCKET, then the configuration file's own, then the default. */
async function socketPath(options: DaemonOptions): Promise<string> {
  if (options.socket !== undefined) return options.socket;
  const file = options.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  if (file === undefined) return DEFAULT_SOCKET;
  const { loadConfig } = await import('../sources/config/index.ts');
  return loadConfig(file).config?.socket ?? DEFAULT_SOCKET;
}

/** Runs `action` with a connection to the daemon. What the daemon refuses, and a daemon that is not there, become CliError. */
export async function withDaemon<T>(options: DaemonOptions, action: (client: ControlClient) => Promise<T>): Promise<T> {
  try {
    const client = await ControlClient.connect(await socketPath(options));
    try {
      return await action(client);
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof ConnectionError) throw new CliError(EXIT.error, error.message);
    if (error instanceof ApiError)
      throw new CliError(error.code === 'invalid-config' ? EXIT.finding : EXIT.error, error.message, error.details ?? []);
    throw error;
  }
}
