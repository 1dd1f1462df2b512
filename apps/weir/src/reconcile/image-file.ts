import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelPlan } from '../compile/nft/targets.ts';
import { makeStateDirectory } from './directory.ts';

const NAME = 'image.json';
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
  const path = join(stateDirectory, NAME);
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
