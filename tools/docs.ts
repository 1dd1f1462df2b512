// `npm run docs`: writes what is generated from the source (docs/rfc-map.md, docs/configuration.md, docs/policy.md, docs/testing.md, docs/cli, docs/man, tools/surfaces/*.txt). The declarations must build.
import { join, resolve } from 'node:path';
import { checkDocs } from './docs/check-docs.ts';
import { checkRfcMap } from './rfc-map/check-rfc-map.ts';
import { printFinding } from './run/finding.ts';
import { runCommand } from './run/run-command.ts';
import { checkSurfaces } from './surfaces/check-surfaces.ts';

const root = resolve(import.meta.dirname, '..');
const built = await runCommand(join(root, 'node_modules/.bin/tsc'), ['-b', 'tsconfig.build.json'], 60_000);
if (built.code !== 0) console.error(built.output);
const findings = [...checkDocs(root, true), ...checkRfcMap(root, true), ...checkSurfaces(root, true)];
for (const finding of findings) console.error(printFinding(finding));
process.exitCode = built.code === 0 && findings.length === 0 ? 0 : 1;
