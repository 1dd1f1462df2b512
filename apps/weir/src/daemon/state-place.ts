import type { Texts } from '../sources/config/index.ts';

const DEFAULT_STATE = '/var/lib/weir';
const LINE = /^state_directory:[ \t]*(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"'#][^\s#]*))/m;

/** Where the state is as far as files with mistakes tell: by the line that says so in one of them, else where it usually is. */
export function likelyStateDirectory(texts: Texts): string {
  for (const text of texts.values()) {
    const found = LINE.exec(text);
    const path = found?.[1] ?? found?.[2] ?? found?.[3];
    if (path !== undefined) return path;
  }
  return DEFAULT_STATE;
}
