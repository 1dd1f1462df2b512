import type { BlackholesAnswer, OwnBlackholeSummary, PrefixSummary } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { refusedText, toldText } from '../render/told.ts';

export interface BlackholeAddOptions extends ViewOptions {
  /** Empty: those of the configuration. */
  readonly communities: readonly string[];
  readonly nextHop: string | undefined;
  /** Empty: all that may be told. */
  readonly peers: readonly string[];
  readonly until: number | undefined;
  readonly comment: string | undefined;
  readonly allowProtected: boolean;
}

/** Announces a blackhole route of our own. */
export function blackholeAdd(prefix: string, options: BlackholeAddOptions, io: Io): Promise<ExitCode> {
  const { communities, nextHop, peers, until, comment, allowProtected } = options;
  return withDaemon(options, async (client) => {
    const answer = await client.call('blackhole-add', {
      prefix,
      ...(communities.length === 0 ? {} : { communities }),
      ...(nextHop === undefined ? {} : { next_hop: nextHop }),
      ...(peers.length === 0 ? {} : { peers }),
      ...(until === undefined ? {} : { until }),
      ...(comment === undefined ? {} : { comment }),
      ...(allowProtected ? { allow_protected: true } : {}),
    });
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderOwn(answer.announced));
    return EXIT.ok;
  });
}

/** Withdraws one. */
export function blackholeDelete(prefix: string, options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const answer = await client.call('blackhole-delete', { prefix });
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : `withdrawn: ${escapeControl(answer.withdrawn)}\n`);
    return EXIT.ok;
  });
}

/** All that are announced. */
export function blackholeShow(options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const answer = await client.call('blackholes', {});
    await io.out(options.output === 'json' ? `${JSON.stringify(answer)}\n` : renderBlackholes(answer));
    return EXIT.ok;
  });
}

/** One line each, those by hand first. */
export function renderBlackholes({ announced, from_flows: routes, from_flows_counts: counts }: BlackholesAnswer): string {
  const own = announced.map(renderOwn);
  const converted = routes.map((route) => line([prefixText(route), toldText(route), `because of ${route.because.join(', ')}`]));
  const sum = counts ? [line([`of flow rules: ${[`${counts.routes} routes`, ...refusedText(counts)].join(', ')}`])] : [];
  const all = [...own, ...converted, ...sum].join('');
  return all === '' ? 'no blackhole routes are announced\n' : all;
}

function renderOwn(route: OwnBlackholeSummary): string {
  const { until, by, comment } = route;
  return line([
    prefixText(route),
    toldText(route),
    until === undefined ? '' : `until ${until}`,
    `by ${by}`,
    comment === undefined ? '' : `(${comment})`,
  ]);
}

function prefixText({ prefix, communities, next_hop: nextHop }: PrefixSummary): string {
  return `${prefix} with ${communities.join(', ')}${nextHop === undefined ? '' : ` via ${nextHop}`}`;
}

function line(parts: readonly string[]): string {
  return `${escapeControl(parts.filter((part) => part !== '').join('; '))}\n`;
}
