import { readdirSync, readFileSync } from 'node:fs';
import { inNetworkNamespace } from '@weir/sys';

const CONF = '/proc/sys/net/ipv4/conf';
/** The way back has to be the interface that a packet came in by. */
const STRICT = 1;

/**
 * Interfaces at which the kernel drops IPv4 packets with a mark whose way back, looked up with that mark, is another interface: `rp_filter` is strict there and `src_valid_mark` is set, as wg-quick does. Throws SystemError when
 * the namespace cannot be entered.
 */
export function interfacesFilteringByMark(netns: string | undefined): readonly string[] {
  return netns === undefined ? readAll() : inNetworkNamespace(netns, readAll);
}

/** The larger of an interface's value and that of all interfaces counts, for both. */
function readAll(): readonly string[] {
  const common = [settingOf('all', 'rp_filter'), settingOf('all', 'src_valid_mark')] as const;
  return readdirSync(CONF).filter((name) => {
    if (name === 'all' || name === 'default' || name === 'lo') return false;
    return Math.max(common[0], settingOf(name, 'rp_filter')) === STRICT && Math.max(common[1], settingOf(name, 'src_valid_mark')) > 0;
  });
}

/** 0 where an interface has just gone. */
function settingOf(name: string, key: string): number {
  try {
    return Number(readFileSync(`${CONF}/${name}/${key}`, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}
