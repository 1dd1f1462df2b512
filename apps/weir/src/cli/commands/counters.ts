import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { ruleTitle, sumRules } from '../render/sum-rules.ts';
import { renderTable } from '../render/table.ts';
import { noTenant } from '../tenants.ts';

export interface CountersOptions extends ViewOptions {
  readonly tenant: string | undefined;
}

/** Packets and bytes of every rule in the kernel, in the order of judgement. */
export async function counters(options: CountersOptions, io: Io): Promise<ExitCode> {
  const { tenant } = options;
  const { kernel, tenants } = await withDaemon(options, (client) => client.call('status', {}));
  const names = tenants.map(({ name }) => name);
  if (tenant !== undefined && !names.includes(tenant)) throw noTenant(tenant, names);
  const rules = sumRules(kernel.rules).filter((rule) => tenant === undefined || rule.tenant === tenant);
  if (options.output === 'json') await io.out(`${JSON.stringify({ format_version: 1, rules })}\n`);
  else {
    const rows = rules.map((rule) => [String(rule.packets), String(rule.bytes), ruleTitle(rule)]);
    await io.out(renderTable(['PACKETS', 'BYTES', 'RULE'], rows, 'rrl', options.palette.bold));
  }
  return EXIT.ok;
}
