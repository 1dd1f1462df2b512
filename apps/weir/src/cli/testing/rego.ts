import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import * as z from 'zod/mini';
import { CliError, EXIT } from '../exit.ts';
import type { TestResult } from './result.ts';

/** Output of opa that is read, and the time that one run may take. */
const MAX_OUTPUT = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** Where opa is: `$WEIR_OPA`, else on the PATH. Throws CliError when it is nowhere. */
export function findOpa(env: { readonly [name: string]: string | undefined }): string {
  const given = env['WEIR_OPA'];
  if (given !== undefined) {
    if (isExecutable(given)) return given;
    throw new CliError(EXIT.error, `WEIR_OPA is ${given}, which cannot be run`);
  }
  const found = (env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'opa'))
    .find(isExecutable);
  if (found !== undefined) return found;
  throw new CliError(
    EXIT.error,
    'Rego tests are run by opa (https://www.openpolicyagent.org), which is not on the PATH: install it, or name it in WEIR_OPA',
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

const term = z.object({ value: z.unknown() });
const moduleShape = z.object({
  package: z.object({ path: z.array(term) }),
  rules: z._default(
    z.array(
      z.object({ head: z.object({ name: z.optional(z.string()), ref: z.optional(z.array(term)) }), location: z.optional(z.unknown()) }),
    ),
    [],
  ),
});
const resultShape = z.object({
  result: z._default(z.array(z.object({ expressions: z.array(z.object({ value: z.unknown() })) })), []),
  errors: z.optional(z.array(z.object({ message: z.string() }))),
});

/**
 * Runs a Rego v1 file against a compiled policy as `input`. A rule `test_...` passes when it is true; `deny` and `violation` pass when they are undefined, false or
 * empty, and else every member is a failure. `input` has the policy as it is written beside it, as `policy_raw`. Throws CliError when opa cannot read the file, and when
 * nothing in it is a test.
 */
export function runRego(opa: string, file: string, policy: unknown, raw: unknown): readonly TestResult[] {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new CliError(EXIT.error, `cannot read ${file}: ${String(error.code)}`);
    throw error;
  }
  const parsed = moduleShape.safeParse(call(opa, ['parse', '--format', 'json', file], '', file));
  if (!parsed.success) throw new CliError(EXIT.error, `${file}: opa prints a module in a form that is not known`);
  const path = parsed.data.package.path.map((one) => String(one.value));
  const names = new Set(parsed.data.rules.map(({ head }) => head.name ?? String(head.ref?.[0]?.value ?? '')));
  const input = JSON.stringify({ ...(policy as object), policy_raw: raw });
  const query =
    path[0] +
    path
      .slice(1)
      .map((part) => `[${JSON.stringify(part)}]`)
      .join('');
  const answer = resultShape.safeParse(call(opa, ['eval', '--format', 'json', '--data', file, '--stdin-input', query], input, file));
  if (!answer.success) throw new CliError(EXIT.error, `${file}: opa prints results in a form that is not known`);
  const problem = answer.data.errors?.[0]?.message;
  const values = (answer.data.result[0]?.expressions[0]?.value ?? {}) as Readonly<Record<string, unknown>>;
  const found = [...names].sort().flatMap((name) => results(file, name, problem, values[name]));
  if (found.length === 0) throw new CliError(EXIT.finding, `${file} holds no tests: rules whose names begin with test_, deny or violation`);
  return found;
}

function results(file: string, name: string, problem: string | undefined, value: unknown): TestResult[] {
  const result = (message: string, label = name): TestResult => ({ file, name: label, passed: message === '', message, span: undefined });
  if (name === 'deny' || name === 'violation') {
    const members = membersOf(value);
    if (problem !== undefined || members.length === 0) return [result(problem ?? '')];
    return members.map((member, i) => result(typeof member === 'string' ? member : JSON.stringify(member), `${name}[${i}]`));
  }
  if (!name.startsWith('test_')) return [];
  return [
    result(
      value === true
        ? ''
        : (problem ?? (value === undefined ? 'it is undefined: one of its conditions does not hold' : `it is ${JSON.stringify(value)}`)),
    ),
  ];
}

/** What a rule that denies denies: the members of a set, those of an object with their keys, or the value of a rule that is one. */
function membersOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null || value === false) return [];
  if (Array.isArray(value)) return value;
  return typeof value === 'object' ? Object.entries(value).map(([key, one]) => ({ [key]: one as unknown })) : [value];
}

function call(opa: string, args: readonly string[], input: string, file: string): unknown {
  const { status, stdout, stderr, error } = spawnSync(opa, args, { input, encoding: 'utf8', maxBuffer: MAX_OUTPUT, timeout: TIMEOUT_MS });
  if (error) throw new CliError(EXIT.error, `${file}: opa: ${error.message}`);
  try {
    const value: unknown = JSON.parse(stdout === '' ? stderr : stdout);
    // What opa finds wrong with a file it prints as JSON as well.
    if (args[0] === 'parse' && status !== 0) throw new CliError(EXIT.finding, `${file}: ${messages(value)}`);
    return value;
  } catch (failure) {
    if (failure instanceof SyntaxError) throw new CliError(EXIT.finding, `${file}: opa ${args[0]}: ${stderr.trim().slice(0, 2000)}`);
    throw failure;
  }
}

function messages(value: unknown): string {
  const errors = z
    .object({ errors: z.array(z.object({ message: z.string(), location: z.optional(z.object({ row: z.number(), col: z.number() })) })) })
    .safeParse(value);
  if (!errors.success) return 'opa cannot read it';
  return errors.data.errors
    .map((one) => (one.location ? `${one.location.row}:${one.location.col}: ${one.message}` : one.message))
    .join('; ');
}
