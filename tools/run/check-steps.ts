import { join } from 'node:path';
import { checkDocs } from '../docs/check-docs.ts';
import { checkEngines } from '../engines/check-engines.ts';
import { checkFiles } from '../files/check-files.ts';
import { checkLayers } from '../layers/check-layers.ts';
import { checkRfcMap } from '../rfc-map/check-rfc-map.ts';
import { checkSurfaces } from '../surfaces/check-surfaces.ts';
import { runCommand } from './run-command.ts';
import { failure, fromFindings, type Outcome, type Step, success } from './steps.ts';
import { runVitest } from './vitest-step.ts';

/** The steps of `npm run check`: the bundle, then the longest first. */
export function checkSteps(root: string): readonly Step[] {
  const bin = (name: string, args: readonly string[], timeoutMs: number): Promise<Outcome> =>
    runProgram(join(root, 'node_modules/.bin', name), args, timeoutMs);
  return [
    // Tests that start the program get what ships, which starts in a tenth of the time of its source.
    { name: 'bundle', run: () => runProgram(process.execPath, [join(root, 'tools/bundle.mjs')], 60_000) },
    { name: 'unit tests', after: ['bundle'], run: () => runVitest(root, 'unit', 600_000) },
    { name: 'types', run: () => bin('tsc', ['-p', 'tsconfig.json'], 60_000) },
    { name: 'declarations', run: () => bin('tsc', ['-b', 'tsconfig.build.json'], 60_000) },
    { name: 'public surfaces', after: ['declarations'], run: () => fromFindings(checkSurfaces(root, false)) },
    { name: 'lint and format', run: () => bin('biome', ['ci', '--colors=off', '.'], 60_000) },
    { name: 'layers', run: () => fromFindings(checkLayers(root)) },
    { name: 'engines and versions', run: () => fromFindings(checkEngines(root)) },
    { name: 'file names and lengths', run: () => fromFindings(checkFiles(root)) },
    { name: 'reference pages', run: () => fromFindings(checkDocs(root, false)) },
    { name: 'RFC map', run: () => fromFindings(checkRfcMap(root, false)) },
  ];
}

async function runProgram(command: string, args: readonly string[], timeoutMs: number): Promise<Outcome> {
  const ran = await runCommand(command, args, timeoutMs);
  return ran.code === 0 ? success() : failure(ran.output);
}
