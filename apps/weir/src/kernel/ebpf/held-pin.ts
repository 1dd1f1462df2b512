import { type BpfLink, type BpfMap, type BpfProgram, PinDirectory } from '@weir/ebpf/kernel';

/** Something that this process holds and has pinned. */
export type HeldPin = { readonly directory: PinDirectory; readonly pin: string } & (
  | { readonly kind: 'map'; readonly object: BpfMap }
  | { readonly kind: 'program'; readonly object: BpfProgram }
  | { readonly kind: 'link'; readonly object: BpfLink }
);

/** Pins again what somebody has unpinned, or has pinned something else in the place of. Returns the paths. BpfError. */
export function repairPins(held: Iterable<HeldPin>): readonly string[] {
  const repaired: string[] = [];
  for (const one of held) {
    const { directory, pin, object } = one;
    if (pinnedId(one) === object.info().id) continue;
    // The directory may be gone as well.
    PinDirectory.open(directory.path).pin(object, pin);
    repaired.push(`${directory.path}/${pin}`);
  }
  return repaired;
}

function pinnedId({ directory, pin, kind }: HeldPin): number | undefined {
  const found = kind === 'map' ? directory.map(pin) : kind === 'program' ? directory.program(pin) : directory.link(pin);
  if (!found) return undefined;
  try {
    return found.info().id;
  } finally {
    found.close();
  }
}
