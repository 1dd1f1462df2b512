import { readFileSync } from 'node:fs';
import type { ApplyAnswer } from '../../api/answers.ts';
import type { ControlClient } from '../../api/client.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import { plural } from '../render/units.ts';
import { parsePlanFile } from './plan-file.ts';

export interface ApplyOptions extends ViewOptions {
  /** Milliseconds. */
  readonly confirmTimeout: number | undefined;
  readonly allowLockout: boolean;
  /** Cut the connections that the new rules would deny. */
  readonly flushStates: boolean;
  readonly wait: boolean;
}

const POLL_MS = 500;

/** Takes the files as they are now, or as a plan was made of them. */
export async function apply(planFile: string | undefined, options: ApplyOptions, io: Io): Promise<ExitCode> {
  const plan = planFile === undefined ? undefined : readPlan(planFile);
  return withDaemon(options, async (client) => {
    const answer = await client.call('apply', {
      ...(plan ? { base: plan.base, digest: plan.digest } : {}),
      ...(options.confirmTimeout === undefined ? {} : { confirm_timeout_ms: options.confirmTimeout }),
      ...(options.allowLockout ? { allow_lockout: true } : {}),
      ...(options.flushStates ? { flush_states: true } : {}),
      ...(io.env['SSH_CONNECTION'] === undefined ? {} : { ssh: io.env['SSH_CONNECTION'] }),
    });
    for (const warning of answer.warnings) io.err(`${warning}\n`);
    if (options.output === 'json') await io.out(`${JSON.stringify(answer)}\n`);
    else {
      const changes = answer.changed.map((c) => `  ${escapeControl(c)}\n`).join('');
      await io.out(`generation ${answer.generation} is in force${changes === '' ? ': nothing changed' : ''}\n${changes}`);
      if (answer.confirm_before !== undefined)
        await io.out(`run weir confirm before ${answer.confirm_before}, or what was in force comes back\n`);
      if (answer.flush_at_confirm) await io.out('weir confirm cuts the connections that these rules deny\n');
      await io.out(flushLines(answer));
    }
    if (answer.flush_error !== undefined) return flushFailed(answer.flush_error, io);
    if (answer.confirm_before === undefined || !options.wait) return EXIT.ok;
    return waitFor(client, answer.generation, io);
  });
}

/** What became of the connections; empty where nobody asked. */
function flushLines({ flushed }: Pick<ApplyAnswer, 'flushed'>): string {
  if (!flushed) return '';
  const lines = [
    `${flushed.cut} of ${plural(flushed.tracked, 'tracked connection')} cut; no rollback brings them back`,
    ...(flushed.protected > 0 ? [`${flushed.protected} would be denied and go on: your SSH session, BGP peers`] : []),
    ...(flushed.left > 0 ? [`${flushed.left} were not looked at: there are too many`] : []),
    ...(flushed.doubtful > 0 ? [`${flushed.doubtful} go on because conntrack does not tell enough of them:`] : []),
    ...flushed.examples.map((line) => `  ${escapeControl(line)}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function flushFailed(error: string, io: Io): ExitCode {
  io.err(`the rules are in force, but connections were not cut: ${error}\n`);
  return EXIT.error;
}

/** Until somebody confirms, or what was in force is back. */
async function waitFor(client: ControlClient, generation: number, io: Io): Promise<ExitCode> {
  for (;;) {
    if (io.signal.aborted) return EXIT.interrupted;
    const history = await client.call('history', {});
    if (history.pending?.generation !== generation) {
      const record = history.generations.find((one) => one.number === generation);
      if (!record) throw new CliError(EXIT.error, `generation ${generation} is not kept any more: weir history shows what is in force`);
      const kept = !record.reverted;
      await io.out(
        kept
          ? `generation ${generation} is confirmed\n`
          : `generation ${generation} was not confirmed: ${history.in_force} is in force again\n`,
      );
      return kept ? EXIT.ok : EXIT.notConfirmed;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function readPlan(file: string): { readonly base: string; readonly digest: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.error, `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const plan = parsePlanFile(text);
  if (!plan) throw new CliError(EXIT.finding, `${file} is not a plan that weir plan --out wrote`);
  return plan;
}

export async function confirm(options: ViewOptions, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('confirm', {}));
  await io.out(
    options.output === 'json' ? `${JSON.stringify(answer)}\n` : `generation ${answer.generation} is confirmed\n${flushLines(answer)}`,
  );
  return answer.flush_error === undefined ? EXIT.ok : flushFailed(answer.flush_error, io);
}

export async function rollback(options: ViewOptions & { readonly to: number | undefined }, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('rollback', options.to === undefined ? {} : { to: options.to }));
  if (options.output === 'json') await io.out(`${JSON.stringify(answer)}\n`);
  else {
    const changes = answer.changed.map((c) => `  ${escapeControl(c)}\n`).join('');
    await io.out(
      `generation ${answer.generation} is in force${answer.to === answer.generation ? ' again' : `, as ${answer.to} was`}\n${changes}`,
    );
  }
  return EXIT.ok;
}
