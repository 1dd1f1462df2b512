/** Who has been told of something that is announced, and who has not. */
export function toldText({ peers, told }: { readonly peers: readonly string[]; readonly told: readonly string[] }): string {
  const left = peers.filter((peer) => !told.includes(peer));
  const parts = [
    told.length > 0 ? `told to ${told.join(', ')}` : '',
    left.length > 0 ? `not told yet to ${left.join(', ')}` : '',
    peers.length === 0 ? 'nobody may be told' : '',
  ];
  return parts.filter((part) => part !== '').join('; ');
}

/** What waits, and what is refused by reason. */
export function refusedText(counts: {
  readonly waiting: number;
  readonly refused: { readonly [reason: string]: number };
}): readonly string[] {
  const refused = Object.entries(counts.refused).map(([reason, count]) => `${count} refused (${reason})`);
  return [...(counts.waiting > 0 ? [`${counts.waiting} waiting`] : []), ...refused];
}
