import { printSetup } from '../../compile/nft/print.ts';
import { compileKernelPlan } from '../../compile/nft/targets.ts';
import { loadConfig } from '../../sources/config/index.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { exitOf } from '../load-any.ts';
import type { Palette } from '../render/paint.ts';
import { selectTenant, tenantsLeftOut } from '../tenants.ts';
import { printDiagnostics } from './check.ts';

export interface SetupOptions {
  readonly config: string;
  readonly output: 'text' | 'json';
  readonly palette: Palette;
  readonly tenant: string | undefined;
}

/** Prints the nft text that makes what a configuration needs: the sets of the user's tables, and the table that Weir will own. */
export async function setup(options: SetupOptions, io: Io): Promise<ExitCode> {
  const loaded = loadConfig(options.config);
  io.err(printDiagnostics(loaded, options.palette));
  if (!loaded.config) return exitOf({ ...loaded, usable: false }, [options.config]);
  const config = selectTenant(loaded.config, options.tenant);
  io.err(tenantsLeftOut(config));
  const nft = printSetup(compileKernelPlan(config, Date.now()));
  await io.out(options.output === 'json' ? `${JSON.stringify({ format_version: 1, nft })}\n` : nft);
  return EXIT.ok;
}
