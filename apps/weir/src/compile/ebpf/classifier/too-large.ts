/** Rules that would need tables beyond what Weir makes. */
export class TooLarge extends Error {
  readonly code = 'classifier-too-large';
}
