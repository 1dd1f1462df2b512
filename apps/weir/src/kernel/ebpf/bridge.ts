import { attachTcx, type BpfProgram, removeClsact, TcFilter } from '@weir/ebpf/kernel';
import { asError } from './as-error.ts';
import type { Surroundings } from './attachment.ts';
import type { HookRuntime } from './hook-runtime.ts';
import { placeName } from './pin-layout.ts';
import type { XdpPlace } from './places.ts';
import type { WantedHook } from './wanted-hook.ts';

/** Before Weir's own filters of clsact. */
const PRIORITY = 0x5744;
const HANDLE = 1;
/** What has passed the driver before XDP is there again has come to tc by then. Milliseconds. */
const REST_MS = 20;

/** A program at tc that judges what comes in by an interface for the moment in which nothing can at XDP. */
export interface Bridge {
  /** Takes it off when what is under way has been judged. */
  close(): void;
}

/** Has tc judge what comes in by an interface by the rules that are in force there; or says why it cannot. */
export function bridgeRules(place: XdpPlace, { attachments }: WantedHook, runtime: HookRuntime, around: Surroundings): Bridge | string {
  const name = placeName(place);
  const compiled = attachments.find((one) => placeName(one.place) === name)?.bridge?.();
  const index = around.interfaces.get(place.interface)?.index;
  if (!compiled || index === undefined) return 'its rules cannot be judged at tc';
  try {
    const loaded = runtime.loadBeside(compiled);
    if (!loaded) return 'other rules are in force than are wanted';
    try {
      return attachBridge(loaded.program, index, around);
    } finally {
      loaded.close();
    }
  } catch (error) {
    return asError(error).message;
  }
}

/** Attaches a program for tc before all others on their way in. BpfError. */
function attachBridge(program: BpfProgram, index: number, { netns, tcx }: Surroundings): Bridge {
  const place = { interface: index, direction: 'ingress', ...(netns === undefined ? {} : { netns }) } as const;
  if (tcx) {
    const link = attachTcx(program, { ...place, position: 'first' });
    return {
      close: () => {
        rest();
        link.close();
      },
    };
  }
  const filter = TcFilter.attach(program, { ...place, priority: PRIORITY, handle: HANDLE });
  return {
    close: () => {
      rest();
      filter.detach();
      removeClsact(place);
    },
  };
}

function rest(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REST_MS);
}
