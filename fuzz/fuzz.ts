import { readdirSync } from 'node:fs';

/** What fuzz/<name>.ts exports as `target`. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs to start from; the runner mutates and splices them. */
  corpus(): readonly Uint8Array[];
  /**
   * Takes one input, which it may change. Returns for whatever input is to be accepted or refused; anything thrown is a finding, so the target
   * itself catches the errors that are the documented answer to bad input (DecodeError).
   */
  run(input: Uint8Array): void | Promise<void>;
}

const runner: ReadonlySet<string> = new Set(['run', 'fuzz', 'campaign', 'mutate', 'random']);

/** Every file of this folder that is not part of the runner is a target. */
export function listTargets(): readonly string[] {
  const files = readdirSync(import.meta.dirname).filter((file) => /^[a-z][a-z0-9-]*\.ts$/.test(file));
  return files
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !runner.has(name))
    .sort();
}
