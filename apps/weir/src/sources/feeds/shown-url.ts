/** A URL without what may be secret. */
export function shownUrl(url: URL | string): string {
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol}//${host}${pathname}${search === '' ? '' : '?...'}`;
}
