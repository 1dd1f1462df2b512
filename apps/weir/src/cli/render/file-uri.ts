/** A file name as the URI that SARIF asks for: what stands in names only, such as `#` and spaces, is percent-encoded. */
export function fileUri(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
