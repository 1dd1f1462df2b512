import { spawn } from 'node:child_process';
import type { Config } from '../model/config.ts';
import { bootTime } from './boot-time.ts';

/** Starts the process that takes a change back when nobody confirms it within `left` milliseconds and the daemon is gone. It has a session of its own, so that what ends the daemon does not end it. */
export function startTimer(config: Config, generation: number, left: number, onError: (error: Error) => void): void {
  const program = process.argv[1];
  if (program === undefined) throw new Error('the path of this program is not known');
  const args = ['expire', '--state-directory', config.stateDirectory, '--socket', config.socket];
  if (config.netns !== undefined) args.push('--netns', config.netns);
  args.push('--generation', String(generation), '--due', String(Math.round(bootTime() + left)));
  spawn(process.execPath, [...process.execArgv, program, ...args], { detached: true, stdio: 'ignore' })
    .on('error', onError)
    .unref();
}
