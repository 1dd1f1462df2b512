import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isOnBpfFileSystem, PinDirectory } from '@weir/ebpf/kernel';
import { type ClearOptions, EXIT, type ExitCode, type Io } from '../cli/index.ts';
import { clearEbpf, isOwnMatch, removeOwnPins } from '../kernel/ebpf/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import { PolicyRouting } from '../kernel/routes/index.ts';
import { DEFAULT_EBPF } from '../model/ebpf.ts';
import { DEFAULT_FLOWSPEC, type FlowConfig } from '../model/flow.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import { clearFrom, clearPolicyRoutes, listTenantDirectories, poolTables } from '../reconcile/index.ts';
import { explainFailure } from './failure.ts';
import { loadDaemonConfig } from './load-daemon-config.ts';
import { managedBy } from './managed-by.ts';
import { withState } from './state-lock.ts';
import { likelyStateDirectory } from './state-place.ts';

/** Below the pin directory: programs that rules of nf_tables ask. */
const MATCHES = 'matches';

/**
 * `weir clear`: takes everything that Weir has put into the kernel out again, and nothing else. A configuration with mistakes, or none, does not stand in the way: it is
 * only asked where things are.
 */
export async function runClear(options: ClearOptions, io: Io): Promise<ExitCode> {
  const { config, texts } = loadDaemonConfig(options.config, options);
  const netns = options.netns ?? config?.netns;
  const stateDirectory = options.stateDirectory ?? config?.stateDirectory ?? likelyStateDirectory(texts);
  const { pinDirectory } = config?.ebpf ?? DEFAULT_EBPF;
  const managed = await managedBy(options.socket ?? config?.socket, pinDirectory);
  if (managed !== undefined) {
    io.err(`error: ${managed}: stop it first (systemctl stop weir), or end it with its state by weir run --clear\n`);
    return EXIT.error;
  }
  return await withState(stateDirectory, io, () =>
    clearAll(options, io, { netns, stateDirectory, pinDirectory, flowspec: config?.flowspec }),
  );
}

/** Where things are. */
interface Where {
  readonly netns: string | undefined;
  readonly stateDirectory: string;
  readonly pinDirectory: string;
  readonly flowspec: FlowConfig | undefined;
}

async function clearAll({ ebpfOnly }: ClearOptions, io: Io, { netns, stateDirectory, pinDirectory, flowspec }: Where): Promise<ExitCode> {
  const parts: readonly Part[] = ebpfOnly
    ? [ebpfPart(pinDirectory, netns)]
    : [...tableParts(stateDirectory, netns), matchesPart(pinDirectory), ebpfPart(pinDirectory, netns), routesPart(netns, flowspec)];
  let code: ExitCode = EXIT.ok;
  // What one part cannot do keeps no other from being done.
  for (const { what, clear } of parts) {
    try {
      const { done, problems } = clear();
      if (done !== '') await io.out(`${what}: ${done}\n`);
      for (const problem of problems) io.err(`error: ${what}: ${problem.subject}: ${problem.message}\n`);
      if (problems.length > 0) code = worse(code, problems.some(({ kind }) => kind === 'not-permitted') ? EXIT.unsupported : EXIT.error);
    } catch (error) {
      const failure = explainFailure(error);
      io.err(`error: ${what}: ${failure.message}\n`);
      code = worse(code, failure.code);
    }
  }
  return code;
}

/** Something to clear; `done` says what was. */
interface Part {
  readonly what: string;
  readonly clear: () => { readonly done: string; readonly problems: readonly KernelProblem[] };
}

function tableParts(stateDirectory: string, netns: string | undefined): readonly Part[] {
  if (!existsSync(stateDirectory)) {
    const done = `there is no state in ${stateDirectory}, so that no table or member of Weir's is known`;
    return [{ what: 'nf_tables', clear: () => ({ done, problems: [] }) }];
  }
  const part = (what: string, place: string | undefined, path: string): Part => ({
    what,
    clear: () => ({ done: 'the owned table and members are out', problems: clearFrom(new NftBackend({ netns: place }), path) }),
  });
  const tenants = listTenantDirectories(stateDirectory).map(({ name, netns: place, path }) => part(`tenant ${name}`, place, path));
  return [part('nf_tables', netns, stateDirectory), ...tenants];
}

function ebpfPart(pinDirectory: string, netns: string | undefined): Part {
  return {
    what: 'ebpf',
    clear: () => {
      const { detached, unpinned, foreign } = clearEbpf(pinDirectory, netns);
      return { done: `${detached} detached, ${unpinned} pins of ${pinDirectory} removed${left(foreign)}`, problems: [] };
    },
  };
}

/** Programs that rules asked: the rules are gone by now. */
function matchesPart(pinDirectory: string): Part {
  return {
    what: 'programs of rules',
    clear: () => {
      const path = join(pinDirectory, MATCHES);
      if (!existsSync(path) || !isOnBpfFileSystem(path)) return { done: '', problems: [] };
      const { removed, foreign } = removeOwnPins(PinDirectory.open(path), isOwnMatch);
      return { done: `${removed} pins of ${path} removed${left(foreign)}`, problems: [] };
    },
  };
}

/** How redirected packets are routed. What marks them is gone by now. */
function routesPart(netns: string | undefined, flowspec: FlowConfig | undefined): Part {
  return {
    what: 'policy routing',
    clear: () => {
      const routing = new PolicyRouting(netns);
      try {
        const gone = clearPolicyRoutes(routing, poolTables(flowspec ?? DEFAULT_FLOWSPEC));
        return { done: gone === 0 ? '' : `${gone} rules and routes are out`, problems: [] };
      } finally {
        routing.close();
      }
    },
  };
}

/** What is not Weir's, a line each. */
function left(foreign: readonly string[]): string {
  return foreign.map((path) => `; ${path} stays, since Weir did not pin it`).join('');
}

/** A missing privilege says more than a plain failure. */
function worse(one: ExitCode, other: ExitCode): ExitCode {
  return one === EXIT.ok || other === EXIT.unsupported ? other : one;
}
