import { createHash } from 'node:crypto';
import type { Direction } from '@weir/ebpf/kernel';

/**
 * What is pinned where, below the pin directory:
 * - `vN`: all of one version of this layout; another version's directory is taken over and removed
 *   - `state`: what the names do not tell, see state-record.ts
 *   - `attach/PLACE`: `link` (but with clsact), `programs` (a program array; its slot 0 judges), `stub` (attached for good, it calls slot 0)
 *   - `hooks/HOOK/gN`: a generation of a hook's rules: `program-VARIANT`, `counters-SYMBOL`, `base-SYMBOL` (what rules counted in generations before), `info` (pinned last), `digest`
 *   - `hooks/HOOK/stand-in`: what the generation in force is, where it is not all that was wanted
 *   - `hooks/HOOK/kept`: maps that outlive generations
 *   - `lists`: members of named sets
 *   - `kept`: maps that all hooks have in common
 */
export const LAYOUT_VERSION = 1;

export const PIN = {
  state: 'state',
  attach: 'attach',
  link: 'link',
  programs: 'programs',
  stub: 'stub',
  hooks: 'hooks',
  counters: 'counters-',
  base: 'base-',
  info: 'info',
  digest: 'digest',
  standIn: 'stand-in',
  program: 'program-',
  kept: 'kept',
  lists: 'lists',
} as const;

/** The directory of a version of the layout. */
export function layoutDirectory(version: number = LAYOUT_VERSION): string {
  return `v${version}`;
}

/** The version whose directory has this name. */
export function layoutOf(directory: string): number | undefined {
  const digits = /^v(\d{1,9})$/.exec(directory)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function generationDirectory(number: number): string {
  return `g${number}`;
}

export function generationOf(directory: string): number | undefined {
  const digits = /^g(\d{1,15})$/.exec(directory)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Where a stub is attached. Interfaces are those of the namespace that the engine is for. */
export type AttachPlace =
  | { readonly kind: 'xdp'; readonly interface: string; readonly mode: 'auto' | 'native' | 'generic' }
  | { readonly kind: 'tc'; readonly interface: string; readonly direction: Direction }
  | { readonly kind: 'cgroup'; readonly path: string; readonly at: CgroupPlace };

export type CgroupPlace = 'connect4' | 'connect6' | 'sendmsg4' | 'sendmsg6';

/** The name of a place, which is the same as long as it is the same place. */
export function placeName(place: AttachPlace): string {
  switch (place.kind) {
    case 'xdp':
      return `xdp-${pinName(place.interface)}`;
    case 'tc':
      return `tc-${place.direction}-${pinName(place.interface)}`;
    case 'cgroup':
      return `${place.at}-${createHash('sha256').update(place.path).digest('hex').slice(0, 16)}`;
  }
}

/** A place for people: `xdp of eth0`. */
export function describePlace(place: AttachPlace): string {
  switch (place.kind) {
    case 'xdp':
      return `xdp of ${place.interface}`;
    case 'tc':
      return `tc ${place.direction} of ${place.interface}`;
    case 'cgroup':
      return `${place.at} of ${place.path}`;
  }
}

/** Any text as a name to pin under: what is not a letter, a digit or `-` becomes `_` and its octets. Long ones end in a digest. */
export function pinName(text: string): string {
  const out = [...new TextEncoder().encode(text)]
    .map((octet) => {
      const char = String.fromCharCode(octet);
      return /[A-Za-z0-9-]/.test(char) ? char : `_${octet.toString(16).padStart(2, '0')}`;
    })
    .join('');
  return out.length <= MOST_NAME ? out : `${out.slice(0, MOST_NAME - 17)}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

const MOST_NAME = 150;
