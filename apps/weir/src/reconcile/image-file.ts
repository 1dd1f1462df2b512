import { join } from 'node:path';
import type { KernelPlan } from '../compile/nft/targets.ts';
import { makeDirectory, readIfThere, removeFile, type WriteOptions, writeWhole } from '../files/index.ts';

const NAME = 'image.json';
/** What a boot loads while the plan in force waits for confirmation. */
const HELD = 'image.confirmed.json';
/** Of what a plan looks like. Files of every version say `table.name`. */
const VERSION = 2;
const OPTIONS: WriteOptions = { mode: 0o600, survives: 'machine' };

/** Keeps the plan for the next start and for `weir restore`; written whole or not at all, and on disk when this returns. */
export function saveImage(stateDirectory: string, plan: KernelPlan): void {
  makeDirectory(stateDirectory, 0o700);
  writeWhole(join(stateDirectory, NAME), `${JSON.stringify({ format_version: VERSION, ...plan })}\n`, OPTIONS);
}

/** The plan that was in force last; undefined when none was saved. An Error with the path when the file is not what this version saves. */
export function loadImage(stateDirectory: string): KernelPlan | undefined {
  return load(join(stateDirectory, NAME));
}

export interface ConfirmedImage {
  /** Undefined when none was saved. */
  readonly plan: KernelPlan | undefined;
  /** Why this is the plan that was in force last, confirmed or not: the one that was held cannot be read. */
  readonly fault: string | undefined;
}

/**
 * The plan that a boot is to load: the last one that nobody has to confirm any more. Where that cannot be read, the one in force last: rules that may be wrong are better
 * than none. An Error with the path when that is not what this version saves either.
 */
export function loadConfirmedImage(stateDirectory: string): ConfirmedImage {
  let held: KernelPlan | undefined;
  try {
    held = load(join(stateDirectory, HELD));
  } catch (error) {
    return { plan: loadImage(stateDirectory), fault: textOf(error) };
  }
  return { plan: held ?? loadImage(stateDirectory), fault: undefined };
}

export interface LastTable {
  /** Undefined when there was none, or it cannot be told. */
  readonly name: string | undefined;
  /** Why it cannot be told. */
  readonly fault: string | undefined;
}

/** The table that was in force last, whichever version wrote the file. What is damaged keeps nobody from starting. */
export function lastTable(stateDirectory: string): LastTable {
  const path = join(stateDirectory, NAME);
  try {
    const image = parse(path);
    if (image === undefined || image['table'] === undefined) return { name: undefined, fault: undefined };
    const name = isRecord(image['table']) ? image['table']['name'] : undefined;
    return typeof name === 'string' ? { name, fault: undefined } : { name: undefined, fault: `${path} is damaged: its table has no name` };
  } catch (error) {
    return { name: undefined, fault: textOf(error) };
  }
}

/** Keeps the plan that is in force for a boot until the next one is confirmed; or no longer. On disk when this returns. */
export function holdImage(stateDirectory: string, hold: boolean): void {
  const held = join(stateDirectory, HELD);
  const image = hold ? readIfThere(join(stateDirectory, NAME)) : undefined;
  if (!hold) removeFile(held);
  else if (image) writeWhole(held, image, OPTIONS);
}

function load(path: string): KernelPlan | undefined {
  const image = parse(path);
  if (image === undefined) return undefined;
  const { format_version, targets } = image;
  if (format_version !== VERSION) throw new Error(`${path} was written by another version; start weir run once to write it anew`);
  if (!Array.isArray(targets)) throw new Error(`${path} is damaged: it names no targets`);
  return image as unknown as KernelPlan;
}

function parse(path: string): Record<string, unknown> | undefined {
  const text = readIfThere(path)?.toString('utf8');
  if (text === undefined) return undefined;
  let image: unknown;
  try {
    image = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is damaged: ${textOf(error)}`);
  }
  if (!isRecord(image) || typeof image['format_version'] !== 'number') throw new Error(`${path} is damaged: it has no version`);
  return image;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
