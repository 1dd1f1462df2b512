import type { RouteSummary } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { renderTable } from '../render/table.ts';

export interface RoutesOptions extends ViewOptions {
  readonly peer: string | undefined;
  readonly set: string | undefined;
  readonly family: 'ipv4' | 'ipv6' | undefined;
  readonly longer: boolean;
  readonly limit: number | undefined;
}

const PAGE = 10_000;

/** Routes a page at a time, so that neither side holds the whole table. JSON is one object, written as it comes. */
export async function routes(prefix: string | undefined, options: RoutesOptions, io: Io): Promise<ExitCode> {
  const { peer, set, family, longer } = options;
  const filter = {
    ...(peer && { peer }),
    ...(set && { set }),
    ...(family && { family }),
    ...(prefix && { prefix }),
    ...(longer && { longer }),
  };
  return withDaemon(options, async (client) => {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let cursor: string | undefined;
    let first = true;
    do {
      const page = await client.call('routes', { ...filter, limit: Math.min(PAGE, left), ...(cursor === undefined ? {} : { cursor }) });
      if (options.output === 'json') {
        const items = page.routes.map((route) => JSON.stringify(route)).join(',');
        const lead = first ? `{"format_version":${page.format_version},"routes":[` : items === '' ? '' : ',';
        await io.out(lead + items);
      } else await io.out(renderRoutes(page.routes, first, options));
      left -= page.routes.length;
      cursor = page.next;
      first = false;
    } while (cursor !== undefined && left > 0 && !io.signal.aborted);
    if (options.output === 'json') await io.out(']}\n');
    return EXIT.ok;
  });
}

function renderRoutes(list: readonly RouteSummary[], heading: boolean, options: RoutesOptions): string {
  const rows = list.map((route) => [
    route.path_id === undefined ? route.prefix : `${route.prefix} path ${route.path_id}`,
    route.peer + (route.long_lived_stale ? ' (long-lived stale)' : route.stale ? ' (stale)' : ''),
    route.next_hop ?? '',
    route.as_path.join(' '),
    route.communities.join(' '),
    [...route.sets, ...route.refused.map((r) => `!${r.set}(${r.reason})`)].join(' '),
  ]);
  const text = renderTable(['PREFIX', 'PEER', 'NEXT HOP', 'AS PATH', 'COMMUNITIES', 'SETS'], rows, '', options.palette.bold);
  return heading ? text : text.slice(text.indexOf('\n') + 1);
}
