import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelPlan } from '../compile/nft/targets.ts';
import { makeStateDirectory } from './directory.ts';

const NAME = 'image.json';
/** What a boot loads while the plan in force waits for confirmation. */
const HELD = 'image.confirmed.json';
const VERSION = 1;

/** Keeps the plan for the next start and for `weir restore`; written whole or not at all. */
export function saveImage(stateDirectory: string, plan: KernelPlan): void {
  makeStateDirectory(stateDirectory);
  const path = join(stateDirectory, NAME);
  writeFileSync(`${path}.new`, `${JSON.stringify({ format_version: VERSION, ...plan }, undefined, 1)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The plan that was in force last; undefined when none was saved. An Error with the path when the file is not what was saved. */
export function loadImage(stateDirectory: string): KernelPlan | undefined {
  return load(join(stateDirectory, NAME));
}

/** The plan that a boot is to load: the last one that nobody has to confirm any more. */
export function loadConfirmedImage(stateDirectory: string): KernelPlan | undefined {
  return load(join(stateDirectory, HELD)) ?? loadImage(stateDirectory);
}

/** Keeps the plan that is in force for a boot until the next one is confirmed; or no longer. */
export function holdImage(stateDirectory: string, hold: boolean): void {
  const [path, held] = [join(stateDirectory, NAME), join(stateDirectory, HELD)];
  if (!hold) rmSync(held, { force: true });
  else if (existsSync(path)) {
    copyFileSync(path, `${held}.new`);
    renameSync(`${held}.new`, held);
  }
}

function load(path: string): KernelPlan | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || !('format_version' in value) || value.format_version !== VERSION) {
    throw new Error(`${path} was written by another version; start weir run once to write it anew`);
  }
  return value as unknown as KernelPlan;
}
