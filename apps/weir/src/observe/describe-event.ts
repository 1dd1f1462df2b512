import { printIp } from '@weir/wire/inet';
import type { Event } from '../model/event.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** How an event reads in a log: a level, one line of text, and its fields. */
export interface Described {
  readonly level: Level;
  readonly message: string;
  readonly fields: { readonly [key: string]: unknown };
}

/** The log line of an event. */
export function describeEvent(event: Event): Described {
  const { kind } = event;
  switch (kind) {
    case 'peer-state': {
      const why = event.reason === undefined ? '' : `: ${event.reason}`;
      const level = event.to === 'Established' || event.from === 'Established' ? (event.to === 'Established' ? 'info' : 'warn') : 'debug';
      return line(level, `peer ${event.peer} ${event.from} -> ${event.to}${why}`, kind, {
        peer: event.peer,
        from: event.from,
        to: event.to,
        reason: event.reason,
      });
    }
    case 'client-sessions': {
      const { client, sessions, up, down, refused, errors, last } = event;
      const parts = [
        ...(up > 0 ? [`${up} up`] : []),
        ...(down > 0 ? [`${down} down`] : []),
        ...(refused > 0 ? [`${refused} announcements refused`] : []),
        ...(errors > 0 ? [`${errors} messages with errors`] : []),
      ];
      const text = `client ${client}: ${parts.join(', ')}${last === undefined ? '' : ` (${last})`}; ${sessions} ${sessions === 1 ? 'session' : 'sessions'} now`;
      return line(down + refused + errors > 0 ? 'warn' : 'info', text, kind, { client, sessions, up, down, refused, errors, last });
    }
    case 'peer-converged':
      return line('info', `peer ${event.peer} has converged with ${event.routes} routes`, kind, { peer: event.peer, routes: event.routes });
    case 'not-refreshed': {
      const why = event.asked ? 'was asked for its routes again and sent none' : 'cannot be asked for its routes again';
      const text = `peer ${event.peer} ${why} (${event.family}): what no set wanted before is missing until its next session; keep_all keeps it`;
      return line('warn', text, kind, { peer: event.peer, family: event.family, asked: event.asked });
    }
    case 'message-errors': {
      const first = event.errors[0];
      return line(
        'warn',
        `peer ${event.peer} sent a message with errors: ${first?.message ?? 'unknown'} (${first?.action ?? 'none'})`,
        kind,
        {
          peer: event.peer,
          errors: event.errors,
        },
      );
    }
    case 'member':
      return line('debug', `${event.set} ${event.present ? '+' : '-'} ${event.prefix}`, kind, {
        set: event.set,
        prefix: event.prefix,
        present: event.present,
        peer: event.peer,
      });
    case 'refused':
      return line('debug', `${event.set} refused ${event.prefix} from ${event.peer}: ${event.reason}`, kind, {
        set: event.set,
        prefix: event.prefix,
        peer: event.peer,
        reason: event.reason,
      });
    case 'max-prefixes':
      return line('warn', `peer ${event.peer} announced ${event.count} of at most ${event.limit} prefixes: ${event.action}`, kind, {
        peer: event.peer,
        count: event.count,
        limit: event.limit,
        action: event.action,
      });
    case 'exabgp':
      return line('warn', event.message, kind, {});
    case 'feed':
      return line(event.ok ? 'info' : 'warn', `feed ${event.feed}: ${event.message}`, kind, {
        feed: event.feed,
        table: event.table,
        ok: event.ok,
      });
    case 'listen':
      return line(
        event.ok ? 'info' : 'error',
        event.ok ? `listening on ${event.address}` : `cannot listen on ${event.address}: ${event.message}`,
        kind,
        {
          address: event.address,
          reason: event.message,
        },
      );
    case 'reload':
      return line(
        event.ok ? 'info' : 'error',
        event.ok ? `configuration reloaded: ${changes(event.changed)}` : 'configuration not reloaded',
        kind,
        {
          changed: event.changed,
        },
      );
    case 'kernel':
      return describeKernel(event.event);
  }
}

function describeKernel(event: Extract<Event, { kind: 'kernel' }>['event']): Described {
  const kind = `kernel-${event.kind}`;
  switch (event.kind) {
    case 'commit': {
      const { report } = event;
      return line(
        report.ok ? 'debug' : 'error',
        `commit ${report.ok ? 'done' : 'failed'}: +${report.added} -${report.removed} in ${report.kernelMs.toFixed(2)} ms`,
        kind,
        {
          ...report,
        },
      );
    }
    case 'drift':
      return line('warn', `${event.set} was changed by another process: ${event.detail}${event.repaired ? ' (repaired)' : ''}`, kind, {
        set: event.set,
        repaired: event.repaired,
      });
    case 'problem':
      return line('error', `${subjectOf(event.problem)}: ${event.problem.message}`, kind, { ...event.problem });
    case 'problem-over':
      return line('info', `${subjectOf(event.problem)}: over: ${event.problem.message}`, kind, {
        subject: event.problem.subject,
        ...(event.problem.tenant === undefined ? {} : { tenant: event.problem.tenant }),
      });
    case 'tenant':
      return line(event.state === 'gone' ? 'warn' : 'info', `tenant ${event.tenant}: its namespace ${TENANT[event.state]}`, kind, {
        tenant: event.tenant,
        state: event.state,
      });
    case 'programs': {
      const told = event.programs.map(({ hook, generation }) => `${generation} at ${hook}`).join(', ');
      return line('debug', `eBPF programs in force: ${told === '' ? 'none' : told}`, kind, {
        programs: event.programs.map(({ hook, generation }) => ({ hook, generation })),
      });
    }
    case 'next-hops':
      return line(
        'info',
        event.hops.map(({ address, refused }) => refused ?? `packets can be redirected to ${printIp(address)}`).join('; '),
        kind,
        {
          hops: event.hops.map(({ address }) => printIp(address)),
        },
      );
    case 'not-held':
      return line('warn', `the service manager does not hold the table's socket: ${event.message}`, kind, {});
    case 'failed':
      return line('error', `kernel: ${event.message}`, kind, {});
  }
}

const TENANT = { appeared: 'is there', opened: 'is managed', gone: 'is gone' } as const;

function subjectOf({ tenant, subject }: { readonly tenant?: string; readonly subject: string }): string {
  return tenant === undefined || tenant === subject ? subject : `${tenant}/${subject}`;
}

function line(level: Level, message: string, event: string, fields: { readonly [key: string]: unknown }): Described {
  return { level, message, fields: { event, ...fields } };
}

function changes(changed: readonly string[]): string {
  return changed.length === 0 ? 'nothing changed' : changed.join(', ');
}
