/** Where things are when nothing else is said. */
export const DEFAULT_CONFIG = '/etc/weir/weir.yaml';
export const DEFAULT_SOCKET = '/run/weir/weir.sock';
